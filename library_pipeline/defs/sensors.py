"""Two sensors: one sees that the CMS has changed, one starts the runs that refreshes wait for."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import psycopg

from library_pipeline.defs.jobs import close_refresh, incremental_refresh, refresh_chunk
from library_pipeline.defs.recovery import recover
from library_pipeline.defs.requests import (
    UNFINISHED,
    chunk_request,
    closing_request,
    ended_without_claim,
)
from library_pipeline.defs.resources import CmsResource, DatabaseResource, EncoderResource
from library_pipeline.sources.http_cms import CmsConnection, HttpCms
from library_pipeline.store.chunks import give_up_attempt, pending_chunks
from library_pipeline.store.closing import finish_if_done
from library_pipeline.store.database import Database
from library_pipeline.store.embeddings import RegisteredEncoder
from library_pipeline.store.manifest import current_manifest
from library_pipeline.store.plans import count_due
from library_pipeline.store.refreshes import failed_plans

CHUNK_POLL_SECONDS = 5
LONGEST_PAUSE = timedelta(hours=1)


def cms_sensor(poll_seconds: int) -> dg.SensorDefinition:
    """Return the sensor that asks the CMS every `poll_seconds` whether anything has changed."""

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
        cms: CmsResource,
        encoder: EncoderResource,
    ) -> dg.SkipReason | dg.RunRequest:
        if not cms.base_url:
            return dg.SkipReason("no CMS is configured: set cms.base_url in library.yaml")
        with database.open() as db:
            return _plan_if_needed(context, db, cms.connection(), encoder.register(db))

    return cms_changes


def _plan_if_needed(
    context: dg.SensorEvaluationContext,
    database: Database,
    source: CmsConnection,
    encoder: RegisteredEncoder,
) -> dg.SkipReason | dg.RunRequest:
    if _planning(context.instance):
        return dg.SkipReason("a refresh is being planned")
    with database.connect() as connection:
        if pause := _pause(connection, datetime.now(UTC)):
            return dg.SkipReason(pause)
        known = current_manifest(connection)
        etag = known.etag if known and known.source == source.base_url else None
        with HttpCms(source) as manifest:
            if manifest.changed(etag):
                return dg.RunRequest()
        due = count_due(connection, encoder)
    if due:
        return dg.RunRequest()
    return dg.SkipReason("the CMS has not changed and nothing is due for another try")


def _planning(instance: dg.DagsterInstance) -> bool:
    """Whether a planning run is queued or under way."""
    return any(
        instance.get_run_ids(dg.RunsFilter(job_name=name, statuses=UNFINISHED), limit=1)
        for name in ("incremental_refresh", "full_refresh")
    )


def _pause(connection: psycopg.Connection, now: datetime) -> str | None:
    """Return why to wait, after plans have failed: 30 s, 1, 2, 4, ... minutes, at most an hour."""
    failed = failed_plans(connection)
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
