"""A library of Contentful's from poll to poll: what the sync API spares, and what it leads to."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from library_pipeline.database.connection import Database
from library_pipeline.refresh.manifest import load_current_manifests
from library_pipeline.refresh.manifest_state import current_manifest
from library_pipeline.refresh.planning import changed_source
from library_pipeline.settings import Settings
from library_pipeline.sources.factory import configured_sources
from library_pipeline.sources.source import Source
from library_pipeline_tests.support.contentful import KEY, FakeContentful, served


@pytest.fixture
def space() -> Iterator[FakeContentful]:
    with served() as space:
        yield space


@pytest.fixture
def sources(space: FakeContentful, monkeypatch: pytest.MonkeyPatch) -> tuple[Source, ...]:
    monkeypatch.setenv("SPACE_KEY", KEY)
    keys = {
        "name": "space",
        "preset": "contentful",
        "url": space.entries_url,
        "query": {"content_type": "component"},
        "auth": {"secret_env": "SPACE_KEY"},
        "changes": "contentful-sync",
    }
    return configured_sources(Settings.model_validate({"sources": [keys]}), {"max_attempts": 1})


def poll(connection: psycopg.Connection, sources: tuple[Source, ...]) -> str | None:
    connection.execute("update pipeline.manifest set polled_at = null")  # so that none rests
    return changed_source(connection, sources)


def test_polls_hand_the_token_on_and_a_refresh_goes_on_from_there(
    database: Database,
    connection: psycopg.Connection,
    space: FakeContentful,
    sources: tuple[Source, ...],
) -> None:
    assert load_current_manifests(database, sources, conditional=True) == {"space": 3}
    space.asked.clear()
    tokens = set[str | None]()
    for _ in range(3):
        assert poll(connection, sources) is None
        known = current_manifest(connection, "space")
        tokens.add(known and known.etag)
    assert len(space.asked) == len(tokens) == 3
    space.remove("hero")
    assert poll(connection, sources) == "space"
    assert load_current_manifests(database, sources, conditional=True) == {"space": 2}
    assert poll(connection, sources) is None
    assert not [path for path in space.asked if "initial" in path]


def test_a_poll_changes_nothing_in_a_manifest_that_was_read_meanwhile(
    database: Database,
    connection: psycopg.Connection,
    space: FakeContentful,
    sources: tuple[Source, ...],
) -> None:
    """Its token is older than the reading's: it would tell of what the reading has already."""
    load_current_manifests(database, sources, conditional=True)
    newest = "contentful-sync:of-the-reading"
    handle = space.hand_out

    def reading_meanwhile(token: str) -> str:
        connection.execute("update pipeline.manifest set etag = %s", (newest,))
        return handle(token)

    space.hand_out = reading_meanwhile
    assert poll(connection, sources) is None
    known = current_manifest(connection, "space")
    assert known
    assert known.etag == newest
