"""The sources as configured, and as last read where a database can be asked."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from library_pipeline.refresh.manifest_state import record_unreadable
from library_pipeline.refresh.staging import load_manifest
from library_pipeline_tests.support.ports import closed_port
from library_pipeline_tests.support.shop import Shop, command, configure, source

FOLDER = {"name": "folder", "kind": "images", "path": "pictures", "prefix": "pic-"}


def test_nothing_is_started_to_list_sources(shop: Shop, tmp_path: Path) -> None:
    configure(source(shop), FOLDER)
    output = command("list").output
    assert f"{shop.url}/api/hats" in output
    assert "begin with pic-" in output
    assert "the embedded database does not run at the moment" in output
    assert not (tmp_path / "home").exists()
    assert shop.asked == []


def test_what_was_listed_last_is_shown(
    shop: Shop, database: object, connection: psycopg.Connection
) -> None:
    configure(source(shop), FOLDER)
    with load_manifest(connection, "shop") as load:
        load.commit(source="anything", etag=None)
    record_unreadable(connection, "folder", "the folder pictures\x1b[2J cannot be read")
    output = command("list").output
    assert "0 entries, read just now" in output
    assert r"the folder pictures\x1b[2J cannot be read" in output
    shown, folder = json.loads(command("list", "--json").stdout)["sources"]
    assert (shown["entries"], shown["error"]) == (0, None)
    assert 0 <= shown["age_seconds"] < 60
    assert (folder["id_prefix"], folder["entries"]) == ("pic-", None)


def test_a_database_that_does_not_answer_leaves_the_configuration(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"postgresql://me:pass@127.0.0.1:{closed_port()}/library"
    monkeypatch.setenv("LIBRARY_DATABASE_URL", url)
    configure(source(shop))
    outcome = command("list")
    assert outcome.exit_code == 0
    assert "the database does not answer" in outcome.output
    assert "pass" not in outcome.output


def test_no_sources_are_said_to_be_none() -> None:
    outcome = command("list")
    assert outcome.exit_code == 0
    assert "No source is configured" in outcome.output
