"""What dead processes have left behind is put back, and Dagster is told that they are dead."""

from __future__ import annotations

import dagster as dg
import psycopg
import structlog

from library_pipeline.store.chunks import LostChunk, cancel_chunk, lost_chunks, release_chunk
from library_pipeline.store.closing import finish_if_done, stop_refresh
from library_pipeline.store.refreshes import orphans, runs_of

_STOPPED_BY_HAND = (dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.CANCELING)
_ORPHANED = "its process ended before it did; what it had not reached is left to the next refresh"

log = structlog.get_logger(__name__)


def recover(instance: dg.DagsterInstance, connection: psycopg.Connection) -> None:
    """Close refreshes whose process is gone and put chunks back whose run is.

    A chunk whose run a person has terminated in the UI is not begun again.
    """
    for refresh_id in orphans(connection):
        log.warning("refresh closed: its process is gone", refresh=refresh_id)
        stop_refresh(connection, refresh_id, _ORPHANED)
        for run_id in runs_of(connection, refresh_id):
            _report_dead(instance, instance.get_run_by_id(run_id))
    for lost in lost_chunks(connection):
        _recover_chunk(instance, connection, lost)


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
