"""Bringing the manifest up to date: one change costs one page, and nothing is ever missed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from library_pipeline.catalog.errors import ManifestError
from library_pipeline.database.connection import Database
from library_pipeline.refresh.manifest import load_current_manifests
from library_pipeline.refresh.manifest_state import current_manifest
from library_pipeline.sources.factory import contract_source
from library_pipeline.sources.http.connection import CmsConnection
from library_pipeline_tests.support.fake_cms import COMPONENTS, FakeCms, fake_cms
from tools.simulated_cms import SimulatedCms

PAGE_SIZE = 7
PAGES = 6


@pytest.fixture
def cms() -> Iterator[FakeCms]:
    with fake_cms() as cms:
        yield cms


def load(database: Database, url: str, *, conditional: bool = True) -> int | None:
    source = contract_source(CmsConnection(base_url=url, page_size=PAGE_SIZE))
    return load_current_manifests(database, [source], conditional=conditional)[source.name]


def asked(cms: FakeCms, database: Database) -> list[str]:
    """Load the manifest; return what was asked for, page by page: `delta` or `whole`."""
    cms.asked.clear()
    load(database, cms.url)
    return ["delta" if "updated_since" in query else "whole" for query in cms.asked]


def known_revisions(connection: psycopg.Connection) -> dict[str, str]:
    rows = connection.execute("select component_id, revision from pipeline.manifest_entry")
    return dict(rows.fetchall())


def test_one_change_among_many_costs_one_page(
    database: Database, connection: psycopg.Connection
) -> None:
    with SimulatedCms(5000) as cms:
        assert load(database, cms.url) == 5000
        cms.edit([4321])
        cms.reset_requests()
        assert load(database, cms.url) == 5000
        assert cms.requests()["manifest"] == 1
        assert load(database, cms.url) is None
        assert cms.requests()["manifest"] == 1
    changed = {id_ for id_, revision in known_revisions(connection).items() if revision != "1"}
    assert changed == {"sim-004321"}


def test_a_removal_is_noticed_though_no_update_tells_of_it(
    database: Database, connection: psycopg.Connection, cms: FakeCms
) -> None:
    load(database, cms.url)
    cms.library.remove([3])
    cms.library.edit([4], ["screenshot"])
    assert asked(cms, database) == ["delta"] + ["whole"] * PAGES
    assert known_revisions(connection) == cms.listed()
    cms.library.restore([3])
    assert asked(cms, database) == ["delta"]
    assert known_revisions(connection) == cms.listed()


def test_a_full_refresh_reads_everything(database: Database, cms: FakeCms) -> None:
    load(database, cms.url)
    cms.asked.clear()
    assert load(database, cms.url, conditional=False) == COMPONENTS
    assert [set(query) & {"updated_since"} for query in cms.asked] == [set()] * PAGES


@pytest.mark.parametrize(
    ("spoil", "pages"),
    [
        (lambda page: page.pop("since", None), ["delta"]),
        (lambda page: "since" in page and page.update(since="2026-02-01T00:00:00Z"), ["delta"]),
        (lambda page: "since" in page and page.pop("total"), ["delta"]),
        (lambda page: page.pop("total"), []),
        (lambda page: page["components"][0].pop("updated_at"), []),
        (lambda page: page["components"][0].pop("id"), []),
        (lambda page: page.update(total=page["total"] + (page["next"] is None)), []),
    ],
    ids=["ignored", "later", "no total", "never total", "undated", "no id", "other totals"],
)
def test_a_cms_whose_updates_cannot_be_relied_on_is_read_whole(
    database: Database,
    connection: psycopg.Connection,
    cms: FakeCms,
    spoil: Callable[[dict[str, Any]], None],
    pages: list[str],
) -> None:
    cms.spoil = spoil
    load(database, cms.url)
    cms.library.edit([4], ["screenshot"])
    assert asked(cms, database) == pages + ["whole"] * PAGES
    assert known_revisions(connection)["sim-000004"] == "2"


def test_an_update_that_is_listed_a_while_after_its_time_is_not_missed(
    database: Database, connection: psycopg.Connection, cms: FakeCms
) -> None:
    load(database, cms.url)
    cms.now += timedelta(minutes=10)
    cms.library.edit([5], ["screenshot"])
    assert asked(cms, database) == ["delta"]
    # It is of before that reading, but its transaction was committed only after it.
    cms.now -= timedelta(seconds=30)
    cms.library.edit([4], ["screenshot"])
    cms.now += timedelta(minutes=10)
    assert asked(cms, database) == ["delta"]
    assert known_revisions(connection) == cms.listed()


def test_another_cms_is_read_whole(database: Database, cms: FakeCms) -> None:
    load(database, cms.url)
    with fake_cms() as other:
        assert asked(other, database) == ["whole"] * PAGES


def test_a_delta_that_breaks_off_changes_nothing(
    database: Database, connection: psycopg.Connection, cms: FakeCms
) -> None:
    load(database, cms.url)
    before = current_manifest(connection), known_revisions(connection)
    cms.library.edit(range(PAGE_SIZE + 1), ["screenshot"])
    cms.spoil = lambda page: page["next"] or page.pop("next")
    with pytest.raises(ManifestError, match="has no 'next'"):
        load(database, cms.url)
    assert (current_manifest(connection), known_revisions(connection)) == before


CHANGES = st.tuples(
    st.sampled_from(["edit", "remove", "restore"]),
    st.sets(st.integers(0, COMPONENTS - 1), max_size=10),
    st.integers(0, 200),
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rounds=st.lists(st.lists(st.none() | CHANGES, max_size=9), min_size=1, max_size=4))
def test_whatever_happens_between_two_pages_the_next_reading_knows_it(
    database: Database, connection: psycopg.Connection, rounds: list[list[Any]]
) -> None:
    """Between pages the listing changes as it likes; once it rests, one reading has it all."""
    connection.execute("truncate pipeline.manifest, pipeline.manifest_entry")
    with fake_cms() as cms:
        there = set(range(COMPONENTS))

        def happen(what: str, numbers: set[int], seconds: int) -> None:
            cms.now += timedelta(seconds=seconds)
            match what:
                case "edit":
                    cms.library.edit(numbers & there, ["screenshot"])
                case "remove":
                    cms.library.remove(numbers & there)
                    there.difference_update(numbers)
                case _:
                    cms.library.restore(numbers - there)
                    there.update(numbers)

        for changes in rounds:
            cms.between = [
                (lambda change=change: happen(*change)) if change else (lambda: None)
                for change in changes
            ]
            load(database, cms.url)
            cms.between.clear()
            load(database, cms.url)
            assert known_revisions(connection) == cms.listed()
