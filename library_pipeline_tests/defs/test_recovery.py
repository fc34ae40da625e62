"""Deaths, terminations and left-overs: the next one along does the rest, without anyone's help."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import dagster as dg
import pytest

from library_pipeline.api import refresh as python_refresh
from library_pipeline.catalog.refresh import RefreshRequest
from library_pipeline.database.connection import Database, lease
from library_pipeline.defs.in_process import RefreshInterrupted, run_refresh
from library_pipeline.defs.jobs import RECOVERY
from library_pipeline.defs.materializations import INDEX
from library_pipeline.refresh.chunks import claim
from library_pipeline.refresh.log import RefreshExistsError, read_result, recent_refreshes
from library_pipeline.sample_cms import Faults, FileFault, RequestFault, SampleCms
from library_pipeline_tests.support.dagster_instance import Refresh
from library_pipeline_tests.support.dagster_runs import failed, materialized
from tools.testing.bundles import write_bundle


def plan(definitions: dg.Definitions, instance: dg.DagsterInstance, **config: Any) -> None:
    """Plan a refresh as the daemon does: its chunks wait for runs of their own."""
    terms = {"refresh": "incremental", **config}
    outcome = definitions.resolve_job_def("incremental_refresh").execute_in_process(
        instance=instance, run_config={"ops": {"cms_manifest": {"config": terms}}}
    )
    assert outcome.success


def test_a_refresh_without_a_daemon_does_what_sensors_have_left(
    definitions: dg.Definitions, instance: dg.DagsterInstance, refresh: Refresh, database: Database
) -> None:
    plan(definitions, instance)  # then the machine is switched off, daemon and all
    done = refresh()
    assert (done.counts.total, done.counts.elsewhere, done.counts.new) == (6, 6, 0)
    with database.connect() as connection:
        other = recent_refreshes(connection)[1]
        assert read_result(connection, other.refresh_id).counts.new == 6
    assert materialized(instance, INDEX) == {f"c-{number}": 1 for number in range(6)}


@pytest.mark.parametrize(
    ("status", "state", "chunk"),
    [
        (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.FAILURE, "pending"),
        (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED, "cancelled"),
    ],
)
def test_a_dead_runs_chunk_is_begun_again_unless_a_person_terminated_it(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    database: Database,
    status: dg.DagsterRunStatus,
    state: dg.DagsterRunStatus,
    chunk: str,
) -> None:
    plan(definitions, instance)
    run = instance.create_run_for_job(definitions.resolve_job_def("refresh_chunk"), status=status)
    with database.connect() as connection:
        refresh_id = recent_refreshes(connection)[0].refresh_id
        with lease(database, run.run_id):
            assert claim(connection, refresh_id, 0, run.run_id)
            RECOVERY.recover(instance, connection)
            assert instance.get_run_by_id(run.run_id).status is status  # type: ignore[union-attr]
        RECOVERY.recover(instance, connection)
        now = connection.execute("select state from pipeline.refresh_chunk").fetchone()
        assert now == (chunk,)
        assert instance.get_run_by_id(run.run_id).status is state  # type: ignore[union-attr]
        assert recent_refreshes(connection)[0].state == (
            "cancelled" if chunk == "cancelled" else "running"
        )


def test_a_refresh_whose_process_was_killed_is_closed_and_its_runs_with_it(
    definitions: dg.Definitions, instance: dg.DagsterInstance, database: Database
) -> None:
    plan(definitions, instance, in_process=True)
    started = dg.DagsterRunStatus.STARTED
    run = instance.create_run_for_job(definitions.resolve_job_def("refresh_chunk"), status=started)
    with database.connect() as connection:
        refresh_id = recent_refreshes(connection)[0].refresh_id
        assert claim(connection, refresh_id, 0, run.run_id)
        RECOVERY.recover(instance, connection)
        closed = read_result(connection, refresh_id)
    assert (closed.state, closed.counts.unreached) == ("failed", 6)
    assert "left to the next refresh" in str(closed.error)
    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE  # type: ignore[union-attr]


@pytest.fixture
def two_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Downloads two components at a time."""
    monkeypatch.setenv("LIBRARY_CMS_CONCURRENCY", "2")


def test_a_signal_lets_what_is_under_way_finish_and_closes_the_refresh(
    two_at_a_time: None,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    database: Database,
    cms: SampleCms,
) -> None:
    cms.faults = Faults(requests=(RequestFault("stall", every=1, path="/files/", seconds=1.0),))
    request = RefreshRequest("stopped", "full", "python", in_process=True)
    watch = threading.Thread(target=_signal_once_downloading, args=(database,), daemon=True)
    watch.start()
    with pytest.raises(RefreshInterrupted, match="the next refresh does what it had not reached"):
        run_refresh(definitions, instance, database, request)
    watch.join()
    with database.connect() as connection:
        done = read_result(connection, "stopped")
    assert done.state == "cancelled"
    assert done.counts.new + done.counts.unreached == 6
    assert len(materialized(instance, INDEX)) == done.counts.new
    cms.faults = Faults()
    again = RefreshRequest("again", "incremental", "python", in_process=True)
    assert run_refresh(definitions, instance, database, again).counts.new == done.counts.unreached


def _signal_once_downloading(database: Database) -> None:
    """Send SIGTERM to this process when the first file is being downloaded."""
    deadline = time.monotonic() + 30
    with database.connect() as connection:
        while time.monotonic() < deadline:
            if any(item.phase == "downloading" for item in recent_refreshes(connection, 1)):
                time.sleep(0.3)
                os.kill(os.getpid(), signal.SIGTERM)
                return
            time.sleep(0.02)


def test_a_transient_failure_turns_red_only_when_its_second_try_has_failed_too(
    refresh: Refresh, instance: dg.DagsterInstance, cms: SampleCms
) -> None:
    cms.faults = Faults(
        files=(
            FileFault("c-1", do="status", status=503, times=5),
            FileFault("c-2", do="status", status=503),
        )
    )
    done = refresh()
    assert {failure.component_id for failure in done.failures} == {"c-2"}
    assert failed(instance, INDEX) == {"c-2"}
    statuses = [
        run.status for run in reversed(instance.get_runs()) if run.job_name == "refresh_chunk"
    ]
    assert statuses == [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]


def test_from_python_a_refresh_is_the_same_dagster_runs(
    cms: SampleCms, database: Database, instance: dg.DagsterInstance
) -> None:
    write_bundle(cms.folder, "c-3", screenshot=b"<html>")
    done = python_refresh("full", task_id="nightly-1", max_components=5)
    assert (done.total, done.new, done.updated, done.removed, done.unchanged, done.failed) == (
        5,
        4,
        0,
        0,
        0,
        1,
    )
    assert done.refresh_id == "nightly-1"
    assert "image.not_an_image" in done.failed_components["c-3"]
    assert done.duration_seconds > 0
    assert all(instance.get_run_by_id(run_id) for run_id in done.run_ids)
    with pytest.raises(RefreshExistsError, match="nightly-1 is on record already"):
        python_refresh(task_id="nightly-1")
    with pytest.raises(ValueError, match="force=True is for refresh_type='full'"):
        python_refresh(force=True)


def test_from_a_notebook_a_refresh_runs_beside_the_event_loop(
    cms: SampleCms, database: Database, instance: dg.DagsterInstance
) -> None:
    import asyncio

    async def cell() -> int:
        return python_refresh(max_components=2).new

    assert asyncio.run(cell()) == 2
