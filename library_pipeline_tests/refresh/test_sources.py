"""Several sources in one library: each by itself, none at another's expense."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from library_pipeline.catalog.errors import ManifestError
from library_pipeline.database.connection import Database
from library_pipeline.index.removals import approve_removals
from library_pipeline.refresh.manifest_state import manifest_states
from library_pipeline.refresh.planning import changed_source
from library_pipeline.sample_cms import Faults, RequestFault, SampleCms
from library_pipeline.settings import Settings
from library_pipeline.sources.factory import configured_sources
from library_pipeline.sources.source import Source
from library_pipeline_tests.support.refreshing import Refresher, counts, searchable
from tools.testing.bundles import picture, write_bundle

SOON = {"max_attempts": 1, "timeout_seconds": 2.0, "rate_limit_patience_seconds": 0.2}


@pytest.fixture(autouse=True)
def no_cms_section(cms: SampleCms, monkeypatch: pytest.MonkeyPatch) -> None:
    """The CMS of the fixture is one of the sources here."""
    monkeypatch.delenv("LIBRARY_CMS_BASE_URL")


@pytest.fixture
def other(tmp_path: Path) -> Iterator[SampleCms]:
    """A second CMS, with ids that the first one has, too."""
    folder = tmp_path / "other"
    for number in range(3):
        write_bundle(folder, f"c-{number}", name=f"Other {number}")
    with SampleCms(folder, allow_faults=True) as running:
        yield running


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of three pictures, one of them twice."""
    folder = tmp_path / "pictures"
    (folder / "deep").mkdir(parents=True)
    for name, seed in (("a.png", "a"), ("deep/b.PNG", "b"), ("deep/again.png", "a")):
        (folder / name).write_bytes(picture(seed))
    return folder


def sources(*keys: dict[str, Any]) -> tuple[Source, ...]:
    return configured_sources(Settings.model_validate({"sources": list(keys)}), SOON)


def contract(name: str, cms: SampleCms) -> dict[str, Any]:
    return {"name": name, "preset": "contract", "url": f"{cms.url}/components"}


def images(folder: Path) -> dict[str, Any]:
    return {"name": "posters", "kind": "images", "path": str(folder)}


def test_sources_share_a_library_and_no_ids(
    database: Database,
    connection: psycopg.Connection,
    cms: SampleCms,
    other: SampleCms,
    pictures: Path,
) -> None:
    refresh = Refresher(
        database, sources(contract("one", cms), contract("two", other), images(pictures))
    )
    assert counts(refresh()) == {"total": 11, "new": 11}
    assert {key.partition(":")[0] for key in searchable(connection)} == {"one", "two", "posters"}
    assert len(searchable(connection)) == 11
    write_bundle(other.folder, "c-1", screenshot=picture("changed"))
    assert counts(refresh()) == {"total": 11, "changed": 1, "unchanged": 10}


def test_a_source_that_is_down_stops_no_other_and_loses_nothing(
    database: Database, connection: psycopg.Connection, cms: SampleCms, other: SampleCms
) -> None:
    both = sources(contract("one", cms), contract("two", other))
    refresh = Refresher(database, both)
    refresh()
    before = searchable(connection)
    other.faults = Faults(requests=(RequestFault("status", every=1, path="/components"),))
    write_bundle(cms.folder, "c-9")
    assert changed_source(connection, both) == "one"
    done = refresh()
    assert counts(done) == {"total": 10, "new": 1, "unchanged": 9}
    assert (done.state, done.unread_sources, done.ok) == ("finished", ("two",), False)
    assert searchable(connection).items() > before.items()
    states = manifest_states(connection)
    assert states["one"].error is None
    assert "could not be read" in (states["two"].error or "")
    other.faults = Faults()
    assert refresh().ok
    assert {state.error for state in manifest_states(connection).values()} == {None}


def test_a_source_whose_secret_is_missing_stops_no_other(
    database: Database,
    connection: psycopg.Connection,
    cms: SampleCms,
    other: SampleCms,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is not asked at all: what a CMS lists to strangers may be less than what it has."""
    keys = [contract("one", cms), {**contract("two", other), "auth": {"secret_env": "TWO_TOKEN"}}]
    monkeypatch.setenv("TWO_TOKEN", "hunter2")
    Refresher(database, sources(*keys))()
    before = searchable(connection)
    monkeypatch.setenv("TWO_TOKEN", "\n")
    other.requests.clear()
    refresh = Refresher(database, locked := sources(*keys))
    write_bundle(cms.folder, "c-9")
    assert changed_source(connection, locked) == "one"
    assert counts(refresh()) == {"total": 10, "new": 1, "unchanged": 9}
    error = manifest_states(connection)["two"].error
    assert error == ("sources.two.auth: the environment variable TWO_TOKEN is not set or empty")
    forced = refresh("full", force=True)
    assert counts(forced) == {"total": 10, "unchanged": 7, "failed": 3}
    assert {(each.code, error in each.message) for each in forced.failures} == {
        ("download.no_secret", True)
    }
    assert searchable(connection).items() > before.items()
    assert not other.requests
    monkeypatch.setenv("TWO_TOKEN", "hunter2")
    assert counts(Refresher(database, sources(*keys))("retry")) == {"total": 3, "unchanged": 3}


@pytest.mark.parametrize("secret", ["hunter2 hunter2", "hunter2\x07"])
def test_a_secret_that_cannot_be_sent_is_as_a_missing_one_and_not_shown(
    cms: SampleCms, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("TWO_TOKEN", secret)
    (two,) = sources({**contract("two", cms), "auth": {"secret_env": "TWO_TOKEN"}})
    with pytest.raises(ManifestError) as caught:
        two.open()
    assert caught.value.code == "manifest.no_secret"
    assert caught.value.message.startswith("sources.two.auth: ")
    assert "hunter2" not in caught.value.message


def test_where_no_source_can_be_read_the_refresh_fails(
    database: Database, connection: psycopg.Connection, cms: SampleCms
) -> None:
    only = sources(contract("one", cms))
    refresh = Refresher(database, only)
    cms.faults = Faults(requests=(RequestFault("status", every=1, path="/components"),))
    with pytest.raises(ManifestError):
        refresh()
    with pytest.raises(ManifestError):
        changed_source(connection, only)


def test_a_source_that_is_taken_out_leaves_search_once_a_person_approves(
    database: Database, connection: psycopg.Connection, cms: SampleCms, pictures: Path
) -> None:
    keys = [contract("one", cms), images(pictures)]
    Refresher(database, sources(*keys))()
    refresh = Refresher(database, sources(keys[0]))
    assert refresh().counts.removed == 0
    assert len(searchable(connection)) == 8
    approve_removals(connection)
    assert refresh().counts.removed == 2
    assert {key.partition(":")[0] for key in searchable(connection)} == {"one"}


def test_a_source_that_is_dear_to_ask_is_not_asked_at_every_poll(
    database: Database, connection: psycopg.Connection, cms: SampleCms
) -> None:
    """Reading all of it to compare may take a tenth of the time at most."""
    paged = sources({**contract("one", cms), "conditional": False, "changed_since": None})
    Refresher(database, paged)()
    connection.execute("update pipeline.manifest set took_seconds = 1000, polled_at = now()")
    write_bundle(cms.folder, "c-9")
    cms.requests.clear()
    assert changed_source(connection, paged) is None
    assert not cms.requests
    connection.execute("update pipeline.manifest set polled_at = now() - interval '3 hours'")
    assert changed_source(connection, paged) == "one"


def test_reading_a_long_listing_does_not_put_off_the_cheap_poll_after_it(
    database: Database, connection: psycopg.Connection, cms: SampleCms
) -> None:
    """Only what polls take counts: a CMS that answers 304 is asked again at once."""
    only = sources(contract("one", cms))
    Refresher(database, only)()
    write_bundle(cms.folder, "c-9")
    assert changed_source(connection, only) == "one"


def test_a_slow_host_does_not_stall_another_source(
    database: Database, connection: psycopg.Connection, cms: SampleCms, other: SampleCms
) -> None:
    stall = RequestFault("stall", every=1, path="/files/", seconds=0.5)
    other.faults = Faults(requests=(stall,))
    slow = {**contract("two", other), "concurrency": 1}
    refresh = Refresher(database, sources(contract("one", cms), slow))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(refresh)
        while len(found := searchable(connection)) < 6:
            time.sleep(0.05)
        assert {key.partition(":")[0] for key in found} == {"one"}
        assert not running.done()
        assert counts(running.result()) == {"total": 9, "new": 9}


def test_files_of_a_picture_folder_are_kept_like_any_other(
    database: Database, connection: psycopg.Connection, pictures: Path
) -> None:
    refresh = Refresher(database, sources(images(pictures)))
    assert counts(refresh()) == {"total": 2, "new": 2}
    names = dict(connection.execute("select name, category from library.component").fetchall())
    assert names == {"a": "", "deep/b": "deep"}
    (pictures / "a.png").rename(pictures / "moved.png")
    (pictures / "deep" / "again.png").unlink()
    assert counts(refresh()) == {"total": 2, "changed": 1, "unchanged": 1}
    (pictures / "deep" / "b.PNG").unlink()
    assert refresh().counts.removed == 1
