"""The sensors: each starts runs for what waits in the database, so a tick may die at any point.

Requesting a run twice is harmless, because Dagster starts a run_key once.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg
import psycopg

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.database.connection import Database
from library_pipeline.defs.assets import PLAN
from library_pipeline.defs.components import chunk_config
from library_pipeline.defs.in_process import (
    REFRESH_TAG,
    planning_run_key,
    planning_run_request,
    why_run_failed,
)
from library_pipeline.defs.jobs import (
    close_refresh,
    full_refresh,
    incremental_refresh,
    reembed,
    refresh_chunk,
)
from library_pipeline.defs.recovery import RecoveryResource, is_under_way
from library_pipeline.defs.resources import DatabaseResource, EncodersResource, SourcesResource
from library_pipeline.refresh.chunks import (
    MAX_ATTEMPTS,
    Chunk,
    give_up_chunk_attempt,
    pending_chunks,
)
from library_pipeline.refresh.closing import (
    count_closing_run,
    finish_if_done,
    set_checked,
    unchecked_refreshes,
)
from library_pipeline.refresh.comparison import count_due, reembed_unfinished
from library_pipeline.refresh.log import FailedPlans, failed_plans
from library_pipeline.refresh.planning import changed_source, last_plan, pending_call
from library_pipeline.refresh.requests import (
    OpenRequest,
    give_up_attempt,
    note_run,
    note_sensor,
    open_requests,
    settle,
)
from library_pipeline.sources.source import Source

COMPONENTS_TAG = "library/components"
# The daemon evaluates sensors every 5 s; with 5 here, every other evaluation would come too early.
REQUEST_POLL_SECONDS = 1
CHUNK_POLL_SECONDS = 5
CANDIDATE_POLL_SECONDS = 30
WEBHOOK_POLL_SECONDS = 5
MAX_PAUSE = timedelta(hours=1)


def cms_sensor(poll_seconds: int) -> dg.SensorDefinition:
    """Return the sensor that asks the sources for changes every `poll_seconds`."""

    @dg.sensor(
        name="cms_changes",
        job=incremental_refresh,
        minimum_interval_seconds=poll_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Plans an incremental refresh when the CMS's manifest has changed.",
    )
    def cms_changes(
        context: dg.SensorEvaluationContext,
        database: DatabaseResource,
        sources: SourcesResource,
        encoders: EncodersResource,
    ) -> dg.SkipReason | dg.RunRequest:
        if not sources.listed:
            return dg.SkipReason("no CMS is configured: set cms.base_url in library.yaml")
        with database.open() as db:
            return _plan_if_needed(context, db, sources.configured(), encoders.register(db))

    return cms_changes


def _plan_if_needed(
    context: dg.SensorEvaluationContext,
    database: Database,
    sources: Sequence[Source],
    encoders: Sequence[EncoderInfo],
) -> dg.SkipReason | dg.RunRequest:
    if is_under_way(context.instance, "incremental_refresh", "full_refresh"):
        return dg.SkipReason("a refresh is being planned")
    with database.connect() as connection:
        if pause := _pause(failed_plans(connection), datetime.now(UTC)):
            return dg.SkipReason(pause)
        if changed_source(connection, sources):
            return dg.RunRequest()
        due = count_due(connection, encoders)
    if due:
        return dg.RunRequest()
    return dg.SkipReason("the CMS has not changed and nothing is due for another try")


def webhook_sensor(*, running: bool) -> dg.SensorDefinition:
    """Return the sensor that starts a planning run after a CMS has called a webhook.

    It is on by default if `running`, that is if webhooks are configured.
    """

    @dg.sensor(
        name="webhook_calls",
        job=incremental_refresh,
        minimum_interval_seconds=WEBHOOK_POLL_SECONDS,
        default_status=(
            dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED
        ),
        description="Plans an incremental refresh at once when a CMS has called a webhook "
        "(/api/webhooks) and no plan has begun since.",
    )
    def webhook_calls(
        context: dg.SensorEvaluationContext, database: DatabaseResource
    ) -> dg.SkipReason | dg.RunRequest:
        with database.open() as db, db.connect() as connection:
            return _plan_if_called(context.instance, connection)

    return webhook_calls


def _plan_if_called(
    instance: dg.DagsterInstance, connection: psycopg.Connection
) -> dg.SkipReason | dg.RunRequest:
    """Start a planning run for a webhook call that no plan has followed yet.

    A call is answered only by a plan that began after it and is on record, so a tick, a run or a
    plan may die at any point without losing the call.
    """
    called_at = pending_call(connection)
    if called_at is None:
        return dg.SkipReason("no CMS has called since the last plan began")
    if is_under_way(instance, "incremental_refresh", "full_refresh"):
        return dg.SkipReason("a refresh is being planned; one for the last call comes after it")
    now = datetime.now(UTC)
    for failed in (failed_plans(connection), _failed_webhook_runs(instance, last_plan(connection))):
        if pause := _pause(failed, now):
            return dg.SkipReason(pause)
    return dg.RunRequest()


def _failed_webhook_runs(instance: dg.DagsterInstance, since: datetime | None) -> FailedPlans:
    """Return how many runs for webhook calls have failed `since` the last plan.

    `failed_plans` misses a run that failed before its refresh was on record.
    """
    asked = dg.RunsFilter(
        job_name="incremental_refresh",
        tags={"dagster/sensor_name": "webhook_calls"},
        statuses=[dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED],
        created_after=since.astimezone(UTC) if since else None,  # Dagster drops the zone
    )
    records = instance.get_run_records(asked, limit=12)
    if not records:
        return FailedPlans(0, None, None)
    return FailedPlans(len(records), records[0].update_timestamp, "their runs have the reason")


def _pause(failed: FailedPlans, now: datetime) -> str | None:
    """Return why to wait after failed plans: 30 s, then 1, 2, 4, ... minutes, at most an hour."""
    if not failed.count or failed.last_at is None:
        return None
    wait = min(timedelta(seconds=30 * 2 ** min(failed.count - 1, 10)), MAX_PAUSE)
    until = failed.last_at + wait
    if now >= until:
        return None
    return (
        f"the last {failed.count} refreshes could not be planned ({failed.error}); "
        f"the next try is at {until:%H:%M:%S} UTC"
    )


@dg.sensor(
    name="encoder_candidates",
    job=reembed,
    minimum_interval_seconds=CANDIDATE_POLL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Plans a reembed when a configured encoder is to take another one's place and "
    "lacks vectors of searchable components.",
)
def encoder_candidates(
    context: dg.SensorEvaluationContext, database: DatabaseResource, encoders: EncodersResource
) -> dg.SkipReason | dg.RunRequest:
    """Start a reembed of the due components, unless one is under way."""
    with database.open() as db:
        candidates = [each for each in encoders.register(db) if each.candidate]
        if not candidates:
            return dg.SkipReason("no encoder waits to take another one's place")
        with db.connect() as connection:
            if reembed_unfinished(connection) or is_under_way(context.instance, "reembed"):
                return dg.SkipReason("a reembed is under way")
            if pause := _pause(failed_plans(connection, reembeds=True), datetime.now(UTC)):
                return dg.SkipReason(pause)
            due = count_due(connection, candidates, "reembed")
    if due:
        return dg.RunRequest(run_config={"ops": {PLAN: {"config": {"due_only": True}}}})
    return dg.SkipReason("no component lacks a candidate's vector, or is due for another try")


@dg.sensor(
    name="refresh_chunks",
    jobs=[refresh_chunk, close_refresh],
    minimum_interval_seconds=CHUNK_POLL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts a run for every chunk that waits, again for one whose run has died, and "
    "one to close a finished refresh.",
)
def refresh_chunks(
    context: dg.SensorEvaluationContext, database: DatabaseResource, recovery: RecoveryResource
) -> dg.SensorResult | dg.SkipReason:
    """Start a run for each pending chunk; a chunk stays pending until its run claims it."""
    with database.open() as db, db.connect() as connection:
        origin = context.code_location_origin
        location = origin.location_name if origin else None
        recovery.recover(context.instance, connection, location)
        for chunk in pending_chunks(connection):
            if _ended_without_claim(context.instance, chunk):
                context.log.warning(f"the run asked for {chunk} ended before it began")
                give_up_chunk_attempt(connection, chunk)
                finish_if_done(connection, chunk.refresh_id)
        pending = pending_chunks(connection)
        closing = _closing_request(context.instance, connection)
    requests = [*map(_chunk_request, pending), *([closing] if closing else [])]
    if not requests:
        return dg.SkipReason("no chunk waits for a run")
    return dg.SensorResult(run_requests=requests)


def _chunk_request(chunk: Chunk) -> dg.RunRequest:
    """Return the request for a chunk's run; it is the same until a run claims the chunk."""
    return dg.RunRequest(
        job_name="refresh_chunk",
        run_key=_run_key(chunk),
        run_config=chunk_config(chunk.refresh_id, chunk.number),
        tags={REFRESH_TAG: chunk.refresh_id, COMPONENTS_TAG: str(chunk.size)},
    )


def _ended_without_claim(instance: dg.DagsterInstance, chunk: Chunk) -> bool:
    """Return whether the chunk's run was requested and ended, and did not claim the chunk."""
    requested = dg.RunsFilter(tags={"dagster/run_key": _run_key(chunk)})
    return any(run.is_finished for run in instance.get_runs(requested, limit=1))


def _closing_request(
    instance: dg.DagsterInstance, connection: psycopg.Connection
) -> dg.RunRequest | None:
    """Return the request for a closing run; None if none is needed or one is under way."""
    waiting = unchecked_refreshes(connection)
    if not waiting or is_under_way(instance, "close_refresh"):
        return None
    newest = waiting[-1]
    attempt = count_closing_run(connection, newest)
    if attempt > MAX_ATTEMPTS:
        # The next refresh's closing run does the same work.
        set_checked(connection, waiting)
        return None
    return dg.RunRequest(
        job_name="close_refresh",
        run_key=f"{newest}:close:{attempt}",
        tags={REFRESH_TAG: newest},
    )


def _run_key(chunk: Chunk) -> str:
    return f"{chunk.refresh_id}:{chunk.number}:{chunk.attempt}"


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
    """Start a run for each request that has none; a request is open until its plan has begun."""
    with database.open() as db, db.connect() as connection:
        note_sensor(connection)
        for asked in open_requests(connection):
            _note_run_of(context.instance, connection, asked)
        # Read again: a request whose attempt was given up needs another run.
        open_now = open_requests(connection)
    waiting = [asked for asked in open_now if _run_of(context.instance, asked) is None]
    if not waiting:
        return dg.SkipReason("no request waits for a run")
    return dg.SensorResult(run_requests=[planning_run_request(asked) for asked in waiting])


def _note_run_of(
    instance: dg.DagsterInstance, connection: psycopg.Connection, asked: OpenRequest
) -> None:
    """Note which run has taken the request, and count the attempt as lost if that run has ended.

    A run that a person has terminated is not started again. If the refresh is on record by now,
    this changes nothing.
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
