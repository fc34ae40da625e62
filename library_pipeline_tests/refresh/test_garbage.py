"""Garbage collection over a real store: what is needed stays, what is not goes with all it had."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from datetime import timedelta

import psycopg
import pytest

from library_pipeline.database.connection import BUNDLES_IN_USE, lease, lease_is_free
from library_pipeline.refresh.chunks import Chunk
from library_pipeline.refresh.garbage import DeletedRows, Garbage, GarbageError, collect_garbage
from library_pipeline.refresh.log import read_refresh
from library_pipeline.sample_cms import Faults, FileFault, SampleCms
from library_pipeline_tests.support.refreshing import Refresher, counts, searchable
from tools.testing.bundles import picture, write_bundle

NOTHING = DeletedRows(0, 0, 0, 0, 0)
LONG = timedelta(days=365)


def collect(
    refresh: Refresher,
    *,
    keep_removed: timedelta = timedelta(0),
    keep_log: timedelta = LONG,
    dry_run: bool = False,
) -> Garbage:
    tools = refresh.equipment
    return collect_garbage(
        tools.database, tools.bundles, keep_removed=keep_removed, keep_log=keep_log, dry_run=dry_run
    )


def remove(cms: SampleCms, *ids: str) -> None:
    for component_id in ids:
        shutil.rmtree(write_bundle(cms.folder, component_id))


def kept(refresh: Refresher) -> dict[str, int]:
    """Return the size of every file in the store, by digest."""
    return {file.sha256: file.size for file in refresh.equipment.bundles.digests()}


def files_of(connection: psycopg.Connection, ids: Iterable[str]) -> set[str]:
    """Return the digests of all files of all known revisions of the components `ids`."""
    rows = connection.execute(
        """select file.value ->> 'sha256' from pipeline.bundle, jsonb_each(files) file
           where component_id = any(%s)""",
        (list(ids),),
    )
    return {row[0] for row in rows}


def sizes(connection: psycopg.Connection, refresh: Refresher) -> dict[str, int]:
    """Return how many rows each table has."""
    vectors = f"embedding_{refresh.equipment.encoders[0].id}"
    found: dict[str, int] = {}
    for table in ("component", "bundle", "screenshot", vectors, "refresh"):
        row = connection.execute(f"select count(*) from pipeline.{table}").fetchone()
        found[table.partition("_")[0]] = row[0] if row else 0
    return found


def test_what_left_long_ago_goes_with_all_it_had(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    refresh()
    remove(cms, "c-4", "c-5")
    refresh()
    connection.execute(
        """update pipeline.component set removed_at = removed_at - interval '31 days'
           where component_id = 'c-5'"""
    )
    connection.execute("update pipeline.bundle set fetched_at = now() - interval '90 days'")
    before = kept(refresh)
    gone = files_of(connection, ["c-5"]) - files_of(connection, [f"c-{n}" for n in range(5)])
    assert len(gone) == 2  # records and picture; config and format are like everybody's

    expected = Garbage(DeletedRows(1, 1, 1, 1, 0), 2, sum(before[digest] for digest in gone))
    month = timedelta(days=30)
    assert collect(refresh, keep_removed=month, dry_run=True) == expected
    assert kept(refresh) == before
    assert sizes(connection, refresh)["component"] == 6

    assert collect(refresh, keep_removed=month) == expected
    assert set(kept(refresh)) == set(before) - gone
    assert sizes(connection, refresh) == {
        "component": 5,
        "bundle": 5,
        "screenshot": 5,
        "embedding": 5,
        "refresh": 2,
    }
    assert collect(refresh, keep_removed=month).nothing
    # What is left works: nothing has to be downloaded or repaired.
    cms.requests.clear()
    assert counts(refresh("full")) == {"total": 4, "unchanged": 4}
    assert set(cms.requests) == {"/components"}


def test_a_component_that_comes_back_in_time_costs_no_download(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    refresh()
    remove(cms, "c-2")
    refresh()
    assert collect(refresh, keep_removed=timedelta(days=30)).nothing
    write_bundle(cms.folder, "c-2")
    cms.requests.clear()
    assert counts(refresh()) == {"total": 6, "new": 1, "unchanged": 5}
    assert set(cms.requests) == {"/components"}
    (report,) = refresh.reports[-1].succeeded
    assert (report.downloaded_bytes, report.embedded) == (0, False)
    assert collect(refresh).nothing  # its time of removal is forgotten
    assert "c-2" in searchable(connection)


def test_one_that_comes_back_later_is_as_new(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    refresh()
    remove(cms, "c-2")
    refresh()
    assert collect(refresh).rows == DeletedRows(1, 1, 1, 1, 0)
    write_bundle(cms.folder, "c-2")
    assert counts(refresh()) == {"total": 6, "new": 1, "unchanged": 5}
    (report,) = refresh.reports[-1].succeeded
    assert report.embedded
    assert "c-2" in searchable(connection)


def test_a_screenshot_that_others_show_stays(refresh: Refresher, cms: SampleCms) -> None:
    for name in ("c-4", "c-5"):
        write_bundle(cms.folder, name, screenshot=picture("shared"))
    refresh()
    remove(cms, "c-5")
    refresh()
    found = collect(refresh)
    assert (found.rows, found.files) == (DeletedRows(1, 1, 0, 0, 0), 1)
    assert counts(refresh("full")) == {"total": 5, "unchanged": 5}


def test_a_revision_that_was_replaced_goes_and_the_current_one_stays(
    refresh: Refresher, cms: SampleCms
) -> None:
    refresh()
    write_bundle(cms.folder, "c-3", screenshot=picture("newer"))
    refresh()
    assert collect(refresh, keep_removed=timedelta(days=1)).nothing
    found = collect(refresh)
    assert (found.rows, found.files) == (DeletedRows(0, 1, 1, 1, 0), 1)
    assert counts(refresh("full")) == {"total": 6, "unchanged": 6}


def test_a_revision_on_its_way_stays_and_so_does_the_one_that_is_shown(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    """Its bundle is downloaded, its picture embedded, and then the run dies before the index."""
    refresh()
    write_bundle(cms.folder, "c-3", screenshot=picture("newer"))
    refresh(stages=frozenset({"bundle", "embedding"}))
    assert collect(refresh).nothing
    cms.faults = Faults(files=(FileFault("c-3", "screenshot", status=500),))
    assert counts(refresh()) == {"total": 6, "changed": 1, "unchanged": 5}


def test_what_failed_keeps_its_last_good_revision(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    refresh()
    good = searchable(connection)
    write_bundle(cms.folder, "c-3", screenshot=b"broken")
    refresh()
    found = collect(refresh)
    # Its bytes were kept before anybody looked at them; no bundle on record has them.
    assert (found.rows, found.files) == (NOTHING, 1)
    assert searchable(connection) == good
    write_bundle(cms.folder, "c-3")
    cms.requests.clear()
    assert counts(refresh()) == {"total": 6, "unchanged": 6}
    assert set(cms.requests) == {"/components"}


def test_a_removal_that_waits_for_approval_costs_nothing(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    refresh()
    remove(cms, *(f"c-{number}" for number in range(1, 6)))
    done = refresh()
    assert done.held_removals == 5
    connection.execute("update pipeline.refresh set finished_at = now() - interval '2 years'")
    connection.execute("update pipeline.bundle set fetched_at = now() - interval '2 years'")
    found = collect(refresh)
    assert found.rows == DeletedRows(
        0, 0, 0, 0, 1
    )  # the first refresh's record; the second's is referred to
    assert found.files == 0
    assert len(searchable(connection)) == 6
    assert read_refresh(connection, done.refresh_id) is not None


def test_a_file_that_nobody_knows_of_is_deleted(refresh: Refresher) -> None:
    refresh()
    before = kept(refresh)
    orphan = refresh.equipment.bundles.put(b"left by a run that died")
    found = collect(refresh, dry_run=True)
    assert (found.rows, found.files, found.file_bytes) == (NOTHING, 1, orphan.size)
    collect(refresh)
    assert kept(refresh) == before


def test_nothing_is_collected_while_a_run_works_with_bundles(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    refresh()
    remove(cms, "c-5")
    refresh()
    with lease(refresh.equipment.database, "a run", BUNDLES_IN_USE):
        for dry_run in (True, False):
            with pytest.raises(GarbageError, match="a refresh or another garbage"):
                collect(refresh, dry_run=dry_run)
    assert sizes(connection, refresh)["component"] == 6
    assert collect(refresh).rows.components == 1
    assert lease_is_free(connection, BUNDLES_IN_USE)


def test_old_records_go_and_unfinished_refreshes_stay(
    refresh: Refresher, connection: psycopg.Connection
) -> None:
    refresh()
    unfinished: list[str] = []

    def die(chunk: Chunk) -> None:
        unfinished.append(chunk.refresh_id)
        raise MemoryError

    refresh.before_chunk = die
    with pytest.raises(MemoryError):
        refresh("full")
    connection.execute(
        """update pipeline.refresh set started_at = now() - interval '2 years',
               finished_at = finished_at - interval '2 years'"""
    )
    assert collect(refresh).rows.refreshes == 1
    assert [row[0] for row in connection.execute("select id from pipeline.refresh")] == unfinished
