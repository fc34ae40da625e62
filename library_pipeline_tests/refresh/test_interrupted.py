"""Refreshes that are stopped, cancelled, tried again or overtaken: nothing lost, nothing twice."""

from __future__ import annotations

import psycopg
import pytest

from library_pipeline.catalog.refresh import RefreshScope
from library_pipeline.refresh.chunks import Chunk
from library_pipeline.refresh.closing import cancel_refresh, stop_refresh
from library_pipeline.refresh.log import recent_refreshes
from library_pipeline.refresh.outcomes import open_failures
from library_pipeline.refresh.planning import UnknownComponentError
from library_pipeline.sample_cms import Faults, FileFault, RequestFault, SampleCms
from library_pipeline_tests.support.refreshing import Refresher, counts, searchable
from tools.testing.bundles import picture, write_bundle


def test_a_transient_failure_gets_a_second_try_at_the_end(
    refresh: Refresher, cms: SampleCms
) -> None:
    # Two requests fail, which is all that a download tries here; the second try's succeed.
    cms.faults = Faults(files=(FileFault("c-3", do="status", status=503, times=2),))
    done = refresh()
    assert counts(done) == {"total": 6, "new": 6}
    assert done.ok
    first, second = refresh.reports
    assert [failure.code for failure in first.failures] == ["download.server_error"]
    assert [report.component_id for report in second.succeeded] == ["c-3"]


def test_what_fails_the_second_time_too_is_due_again_later(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    cms.faults = Faults(files=(FileFault("c-3", do="status", status=503),))
    done = refresh()
    assert counts(done) == {"total": 6, "new": 5, "failed": 1}
    assert len(refresh.reports) == 2
    (failure,) = open_failures(connection)
    assert (failure.attempts, failure.transient) == (2, True)
    assert failure.next_due_at is not None
    assert counts(refresh()) == {"total": 6, "unchanged": 5, "waiting": 1}


def test_a_permanent_failure_gets_no_second_try(refresh: Refresher, cms: SampleCms) -> None:
    cms.faults = Faults(files=(FileFault("c-3", do="status", status=404),))
    assert counts(refresh()) == {"total": 6, "new": 5, "failed": 1}
    assert len(refresh.reports) == 1


def test_a_stopped_chunk_is_put_back_and_the_rest_is_done_later(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    cms.faults = Faults(requests=(RequestFault("stall", every=1, path="/files/", seconds=0.5),))
    refresh.equipment.stop.set()
    refresh.ask_otherwise(concurrency=2)
    refresh()
    (report,) = refresh.reports
    assert report.stopped
    stored = {item.component_id for item in report.succeeded}
    assert 0 < len(stored) < 6
    assert set(searchable(connection)) == stored
    state, attempt = connection.execute(
        "select state, attempt from pipeline.refresh_chunk"
    ).fetchone() or ("", 0)
    assert (state, attempt) == ("pending", 0)


def test_cancelling_ends_a_running_chunk_within_moments(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    cms.faults = Faults(requests=(RequestFault("stall", every=1, path="/files/", seconds=0.5),))
    refresh.ask_otherwise(concurrency=2)
    refresh.before_chunk = lambda chunk: cancel_refresh(connection, chunk.refresh_id)
    done = refresh()
    assert done.state == "cancelled"
    assert done.counts.new + done.counts.unreached == 6
    assert done.counts.unreached > 0
    cms.faults = Faults()
    refresh.before_chunk = lambda chunk: None
    assert refresh().counts.new == done.counts.unreached


def test_what_a_dead_run_stored_is_told_of_by_the_next_one_and_not_done_again(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    def die(reports: object) -> None:
        raise MemoryError

    refresh.tell = die
    with pytest.raises(MemoryError):
        refresh()
    stop_refresh(connection, recent_refreshes(connection)[0].refresh_id, "its process is gone")
    refresh.tell = refresh.told.extend
    cms.requests.clear()
    assert counts(refresh()) == {"total": 6, "unchanged": 6}
    assert {report.component_id for report in refresh.told} == {f"c-{n}" for n in range(6)}
    assert dict(cms.requests) == {"/components": 1}


def test_force_downloads_and_embeds_everything_again(refresh: Refresher, cms: SampleCms) -> None:
    refresh()
    cms.requests.clear()
    done = refresh("full", force=True)
    assert counts(done) == {"total": 6, "unchanged": 6}
    assert sum(count for path, count in cms.requests.items() if path.startswith("/files/")) == 24
    assert all(report.embedded for report in refresh.reports[-1].succeeded)


def test_a_revision_that_was_overtaken_is_not_stored(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    refresh()
    before = searchable(connection)
    write_bundle(cms.folder, "c-1", screenshot=picture("newer"))

    def overtake(chunk: Chunk) -> None:
        connection.execute(
            """create function pipeline.overtake() returns trigger language plpgsql as $$ begin
                   update pipeline.manifest_entry set revision = 'newest'
                   where component_id = 'c-1';
                   return new; end $$;
               create trigger overtake before insert on pipeline.bundle
                   for each row execute function pipeline.overtake()"""
        )

    refresh.before_chunk = overtake
    assert counts(refresh()) == {"total": 6, "unchanged": 6}
    assert searchable(connection) == before
    assert refresh.reports[-1].succeeded == ()


def test_only_and_category_narrow_a_refresh(refresh: Refresher, cms: SampleCms) -> None:
    write_bundle(cms.folder, "c-9", category="footers")
    assert counts(refresh(scope=RefreshScope(category="footers"))) == {"total": 1, "new": 1}
    assert counts(refresh(scope=RefreshScope(only=("c-1", "c-9")))) == {
        "total": 2,
        "new": 1,
        "unchanged": 1,
    }
    with pytest.raises(UnknownComponentError, match="does not list c-77$"):
        refresh(scope=RefreshScope(only=("c-77", "c-1")))
