"""What dead processes have left behind is put back, and Dagster is told that they are dead."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import dagster as dg
import psycopg
import structlog

from library_pipeline.store.chunks import LostChunk, cancel_chunk, lost_chunks, release_chunk
from library_pipeline.store.closing import finish_if_done, stop_refresh
from library_pipeline.store.leases import lease_is_free
from library_pipeline.store.log import orphans, runs_of
from library_pipeline.store.requests import plan_again

_STOPPED_BY_HAND = (dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.CANCELING)
_UNDER_WAY = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_OUR_JOBS = frozenset(
    {
        "incremental_refresh",
        "full_refresh",
        "reembed",
        "refresh_chunk",
        "close_refresh",
        "collect_garbage",
    }
)
# From its start until its first step a run holds no lease yet, nor between two of its steps.
_SETTLED_AFTER = timedelta(minutes=1)
_SECOND_LOOK_SECONDS = 2.0
_ORPHANED = "its process ended before it did; what it had not reached is left to the next refresh"

log = structlog.get_logger(__name__)


def recover(instance: dg.DagsterInstance, connection: psycopg.Connection) -> None:
    """Close refreshes whose process is gone, put chunks back whose run is, report dead runs.

    A chunk whose run a person has terminated in the UI is not begun again.
    """
    for refresh_id in orphans(connection):
        _recover_refresh(instance, connection, refresh_id)
    for lost in lost_chunks(connection):
        _recover_chunk(instance, connection, lost)
    _report_dead_runs(instance, connection)


def _recover_refresh(
    instance: dg.DagsterInstance, connection: psycopg.Connection, refresh_id: str
) -> None:
    """Close the refresh, or have it planned again if it was asked for and nobody has stopped it."""
    runs = [instance.get_run_by_id(run_id) for run_id in runs_of(connection, refresh_id)]
    by_hand = any(run is not None and run.status in _STOPPED_BY_HAND for run in runs)
    if not by_hand and plan_again(connection, refresh_id, "the process that planned it is gone"):
        log.warning("refresh is planned again: its process is gone", refresh=refresh_id)
    else:
        log.warning("refresh closed: its process is gone", refresh=refresh_id)
        stop_refresh(connection, refresh_id, _ORPHANED)
    for run in runs:
        _report_dead(instance, run)


def _report_dead_runs(instance: dg.DagsterInstance, connection: psycopg.Connection) -> None:
    """Report the runs that died before they claimed anything, or after all was done.

    Nothing else does where the code server died with them, and whoever waits for such a run - a
    chunk, the next plan, the next closing run - would wait for good.
    """
    settled = dg.RunsFilter(statuses=_UNDER_WAY, updated_before=datetime.now(UTC) - _SETTLED_AFTER)
    suspects = [
        run
        for run in instance.get_runs(settled)
        if run.job_name in _OUR_JOBS and lease_is_free(connection, run.run_id)
    ]
    if suspects:
        time.sleep(_SECOND_LOOK_SECONDS)
    for run in suspects:
        if lease_is_free(connection, run.run_id):
            log.warning("run lost: its process is gone", job=run.job_name, run=run.run_id)
            _report_dead(instance, instance.get_run_by_id(run.run_id))


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
    """Let Dagster know of a run whose process is gone, or it would hold its slot for good."""
    if run is None or run.is_finished:
        return
    if run.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, "the process of this run is gone")
    else:
        instance.report_run_failed(run, "the process of this run is gone")
