"""The sensor that has refreshes planned which were asked for over HTTP."""

from __future__ import annotations

import dagster as dg
import psycopg

from library_pipeline.defs.jobs import full_refresh, incremental_refresh, reembed
from library_pipeline.defs.planning import planning_request, planning_run_key, why_run_failed
from library_pipeline.defs.resources import DatabaseResource
from library_pipeline.store.requests import (
    OpenRequest,
    give_up_attempt,
    note_run,
    note_sensor,
    open_requests,
    settle,
)

# At each round of the daemon, which takes 5 s; with 5 here, every other one would come too early.
REQUEST_POLL_SECONDS = 1


@dg.sensor(
    name="refresh_requests",
    jobs=[incremental_refresh, full_refresh, reembed],
    minimum_interval_seconds=REQUEST_POLL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Plans the refreshes that were asked for over HTTP (/api/refreshes), each once.",
)
def refresh_requests(
    context: dg.SensorEvaluationContext, database: DatabaseResource
) -> dg.SensorResult | dg.SkipReason:
    """Ask for a run for each request that has none; a request is open until its plan has begun.

    So a tick or a run may die anywhere: what was asked for still waits, and is asked for again.
    """
    with database.open() as db, db.connect() as connection:
        note_sensor(connection)
        for asked in open_requests(connection):
            _look_after(context.instance, connection, asked)
        # A second look, as some have had their attempt given up and are asked for anew.
        open_now = open_requests(connection)
    waiting = [asked for asked in open_now if _run_of(context.instance, asked) is None]
    if not waiting:
        return dg.SkipReason("no request waits for a run")
    return dg.SensorResult(run_requests=[planning_request(asked) for asked in waiting])


def _look_after(
    instance: dg.DagsterInstance, connection: psycopg.Connection, asked: OpenRequest
) -> None:
    """Note which run has taken the request, and that one is needed anew if it has ended.

    A run that a person has terminated is not asked for again. Where the refresh is on record by
    now, none of this has any effect.
    """
    run = _run_of(instance, asked)
    if run is None:
        return
    note_run(connection, asked, run.run_id)
    if run.status is dg.DagsterRunStatus.CANCELED:
        reason = "its Dagster run was terminated before it had planned it"
        settle(connection, asked.refresh_id, "cancelled", reason, attempt=asked.attempt)
    elif run.is_finished:
        give_up_attempt(connection, asked, why_run_failed(instance, run))


def _run_of(instance: dg.DagsterInstance, asked: OpenRequest) -> dg.DagsterRun | None:
    requested = dg.RunsFilter(tags={"dagster/run_key": planning_run_key(asked)})
    return next(iter(instance.get_runs(requested, limit=1)), None)
