"""Recovery from dead processes: their refreshes, chunks and Dagster runs are freed."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import dagster as dg
import psycopg
import structlog

from library_pipeline.database.connection import lease_is_free
from library_pipeline.refresh.chunks import LostChunk, cancel_chunk, lost_chunks, release_chunk
from library_pipeline.refresh.closing import finish_if_done, stop_refresh
from library_pipeline.refresh.log import orphans, runs_of
from library_pipeline.refresh.requests import plan_again

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]
_STOPPED_BY_HAND = (dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.CANCELING)
_UNDER_WAY = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
# A run that has just started does not hold its lease yet: its process still loads the resources.
_SETTLED_AFTER = timedelta(minutes=1)
_SECOND_LOOK_SECONDS = 2.0
_ORPHANED = "its process ended before it did; what it had not reached is left to the next refresh"
# Dagster's job for assets that a person materializes in the UI.
_ASSET_JOB = "__ASSET_JOB"

log = structlog.get_logger(__name__)


class RecoveryResource(dg.ConfigurableResource):
    """Frees the work of dead processes; `jobs` and `assets` name everything that can run here.

    The definitions fill them in, so that no list of jobs is kept by hand.
    """

    jobs: list[str]
    assets: list[str]

    def recover(
        self,
        instance: dg.DagsterInstance,
        connection: psycopg.Connection,
        location: str | None = None,
    ) -> None:
        """Close refreshes whose process is gone, put lost chunks back, and report dead runs.

        A chunk whose run a person has terminated in the UI is cancelled instead. With `location`,
        the code location of the caller, runs of other code locations are left alone.
        """
        for refresh_id in orphans(connection):
            _recover_refresh(instance, connection, refresh_id)
        for lost in lost_chunks(connection):
            _recover_chunk(instance, connection, lost)
        self._report_dead_runs(instance, connection, location)

    def _report_dead_runs(
        self, instance: dg.DagsterInstance, connection: psycopg.Connection, location: str | None
    ) -> None:
        """Report every run of ours that has started and holds no lease.

        Such a run died before it claimed anything, or after its work was done. If the code server
        died with it, Dagster never notices: the run keeps its slot, and chunks, plans and sensors
        wait for it forever.
        """
        before = datetime.now(UTC) - _SETTLED_AFTER
        settled = dg.RunsFilter(statuses=_UNDER_WAY, updated_before=before)
        suspects = [
            run
            for run in instance.get_runs(settled)
            if self._is_ours(run, location) and lease_is_free(connection, run.run_id)
        ]
        if suspects:
            time.sleep(_SECOND_LOOK_SECONDS)
        for run in suspects:
            if lease_is_free(connection, run.run_id):
                log.warning("run lost: its process is gone", job=run.job_name, run=run.run_id)
                _report_dead(instance, instance.get_run_by_id(run.run_id))

    def _is_ours(self, run: dg.DagsterRun, location: str | None) -> bool:
        """Return whether the run is one of our jobs, or materializes only our assets.

        Every such run holds the lease of its id from start to end (`DatabaseResource`).
        """
        started_from = location_of(run)
        if location and started_from and started_from != location:
            return False
        if run.job_name != _ASSET_JOB:
            return run.job_name in self.jobs
        checked = {check.asset_key for check in run.asset_check_selection or ()}
        selected = {key.to_user_string() for key in {*(run.asset_selection or ()), *checked}}
        return bool(selected) and selected <= set(self.assets)


def is_under_way(instance: dg.DagsterInstance, *jobs: str) -> bool:
    """Return whether a run of one of `jobs` is queued or has started and not ended."""
    return any(
        instance.get_run_ids(dg.RunsFilter(job_name=name, statuses=UNFINISHED), limit=1)
        for name in jobs
    )


def location_of(run: dg.DagsterRun) -> str | None:
    """Return the code location that the run was started from, None for a run in this process."""
    return run.remote_job_origin.location_name if run.remote_job_origin else None


def _recover_refresh(
    instance: dg.DagsterInstance, connection: psycopg.Connection, refresh_id: str
) -> None:
    """Close the refresh, or plan a requested one again unless a person stopped it."""
    runs = [instance.get_run_by_id(run_id) for run_id in runs_of(connection, refresh_id)]
    by_hand = any(run is not None and run.status in _STOPPED_BY_HAND for run in runs)
    if not by_hand and plan_again(connection, refresh_id, "the process that planned it is gone"):
        log.warning("refresh is planned again: its process is gone", refresh=refresh_id)
    else:
        log.warning("refresh closed: its process is gone", refresh=refresh_id)
        stop_refresh(connection, refresh_id, _ORPHANED)
    for run in runs:
        _report_dead(instance, run)


def _recover_chunk(
    instance: dg.DagsterInstance, connection: psycopg.Connection, lost: LostChunk
) -> None:
    run = instance.get_run_by_id(lost.run_id)
    by_hand = run is not None and run.status in _STOPPED_BY_HAND
    if by_hand:
        cancel_chunk(connection, lost.refresh_id, lost.number)
    else:
        release_chunk(connection, lost)
    log.warning(
        "chunk lost: the process of its run is gone",
        refresh=lost.refresh_id,
        chunk=lost.number,
        run=lost.run_id,
        stopped_by_hand=by_hand,
    )
    _report_dead(instance, run)
    finish_if_done(connection, lost.refresh_id)


def _report_dead(instance: dg.DagsterInstance, run: dg.DagsterRun | None) -> None:
    """Tell Dagster that the run's process is gone, so that the run's slot is free."""
    if run is None or run.is_finished:
        return
    if run.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, "the process of this run is gone")
    else:
        instance.report_run_failed(run, "the process of this run is gone")
