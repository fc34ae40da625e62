"""Four sensors: a source changed, or its CMS says so; an encoder, or a chunk, waits for a run."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg
import psycopg

from library_pipeline.defs.jobs import close_refresh, incremental_refresh, reembed, refresh_chunk
from library_pipeline.defs.recovery import recover
from library_pipeline.defs.reembedding import PLAN
from library_pipeline.defs.requests import (
    UNFINISHED,
    chunk_request,
    closing_request,
    ended_without_claim,
)
from library_pipeline.defs.resources import DatabaseResource, EncodersResource, SourcesResource
from library_pipeline.refresh.polling import changed_source
from library_pipeline.sources.source import Source
from library_pipeline.store.chunks import give_up_attempt, pending_chunks
from library_pipeline.store.closing import finish_if_done
from library_pipeline.store.database import Database
from library_pipeline.store.embeddings import RegisteredEncoder
from library_pipeline.store.log import FailedPlans, failed_plans
from library_pipeline.store.plans import count_due
from library_pipeline.store.reembedding import count_to_reembed, reembed_unfinished
from library_pipeline.store.webhooks import last_plan, pending_call

CHUNK_POLL_SECONDS = 5
CANDIDATE_POLL_SECONDS = 30
WEBHOOK_POLL_SECONDS = 5
LONGEST_PAUSE = timedelta(hours=1)


def cms_sensor(poll_seconds: int) -> dg.SensorDefinition:
    """Return the sensor that asks the sources every `poll_seconds` whether anything has changed."""

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
    encoders: Sequence[RegisteredEncoder],
) -> dg.SkipReason | dg.RunRequest:
    if _planning(context.instance, "incremental_refresh", "full_refresh"):
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
    """Return the sensor that has a refresh planned as soon as a CMS has called a webhook.

    It is `running` by default where there is a webhook to call.
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
    """Nothing is noted down here: a call waits until a plan that began after it is on record.

    So a tick, a run or a plan may die anywhere; until then what was asked for is under way.
    """
    called_at = pending_call(connection)
    if called_at is None:
        return dg.SkipReason("no CMS has called since the last plan began")
    if _planning(instance, "incremental_refresh", "full_refresh"):
        return dg.SkipReason("a refresh is being planned; one for the last call comes after it")
    now = datetime.now(UTC)
    for failed in (failed_plans(connection), _asked_in_vain(instance, last_plan(connection))):
        if pause := _pause(failed, now):
            return dg.SkipReason(pause)
    return dg.RunRequest()


def _asked_in_vain(instance: dg.DagsterInstance, since: datetime | None) -> FailedPlans:
    """Return how many runs for calls have failed `since` the last plan.

    The refresh of one that failed early is not on record, so failed_plans does not count it.
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


def _planning(instance: dg.DagsterInstance, *jobs: str) -> bool:
    """Whether a run of one of the planning `jobs` is queued or under way."""
    return any(
        instance.get_run_ids(dg.RunsFilter(job_name=name, statuses=UNFINISHED), limit=1)
        for name in jobs
    )


def _pause(failed: FailedPlans, now: datetime) -> str | None:
    """Return why to wait, after plans have failed: 30 s, 1, 2, 4, ... minutes, at most an hour."""
    if not failed.count or failed.last_at is None:
        return None
    wait = min(timedelta(seconds=30 * 2 ** min(failed.count - 1, 10)), LONGEST_PAUSE)
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
    "lacks vectors of what is searchable.",
)
def encoder_candidates(
    context: dg.SensorEvaluationContext, database: DatabaseResource, encoders: EncodersResource
) -> dg.SkipReason | dg.RunRequest:
    """Ask for a reembed of what is due, one at a time; what failed before waits its turn."""
    with database.open() as db:
        candidates = [each for each in encoders.register(db) if each.candidate]
        if not candidates:
            return dg.SkipReason("no encoder waits to take another one's place")
        with db.connect() as connection:
            if reembed_unfinished(connection) or _planning(context.instance, "reembed"):
                return dg.SkipReason("a reembed is under way")
            if pause := _pause(failed_plans(connection, reembeds=True), datetime.now(UTC)):
                return dg.SkipReason(pause)
            due = count_to_reembed(connection, candidates)
    if due:
        return dg.RunRequest(run_config={"ops": {PLAN: {"config": {"due_only": True}}}})
    return dg.SkipReason("no component lacks a candidate's vector, or is due for another try")


@dg.sensor(
    name="refresh_chunks",
    jobs=[refresh_chunk, close_refresh],
    minimum_interval_seconds=CHUNK_POLL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts a run for every chunk that waits, again for one whose run has died, and "
    "one to close what is done.",
)
def refresh_chunks(
    context: dg.SensorEvaluationContext, database: DatabaseResource
) -> dg.SensorResult | dg.SkipReason:
    """Request runs for pending chunks; the chunk stays pending until its run claims it."""
    with database.open() as db, db.connect() as connection:
        recover(context.instance, connection)
        for chunk in pending_chunks(connection):
            if ended_without_claim(context.instance, chunk):
                context.log.warning(f"the run asked for {chunk} ended before it began")
                give_up_attempt(connection, chunk)
                finish_if_done(connection, chunk.refresh_id)
        pending = pending_chunks(connection)
        closing = closing_request(context.instance, connection)
    requests = [*map(chunk_request, pending), *([closing] if closing else [])]
    if not requests:
        return dg.SkipReason("no chunk waits for a run")
    return dg.SensorResult(run_requests=requests)
