"""Two sensors: one sees that the CMS has changed, one starts the runs that chunks wait for."""

import dagster as dg

from library_pipeline.defs.assets import REFRESH_TAG
from library_pipeline.defs.jobs import incremental_refresh, refresh_chunk
from library_pipeline.defs.resources import CmsResource, DatabaseResource, EncoderResource
from library_pipeline.sources.http_cms import CmsConnection, HttpCms
from library_pipeline.store.chunks import (
    Chunk,
    give_up_attempt,
    pending_chunks,
    release_lost_chunks,
)
from library_pipeline.store.database import Database
from library_pipeline.store.embeddings import RegisteredEncoder
from library_pipeline.store.manifest import current_manifest
from library_pipeline.store.plans import count_due
from library_pipeline.store.refreshes import (
    fail_orphans,
    finish_if_done,
    unfinished_refreshes,
)

CHUNK_POLL_SECONDS = 5


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
    with database.connect() as connection:
        fail_orphans(connection)
        if unfinished := unfinished_refreshes(connection):
            return dg.SkipReason(f"refresh {unfinished[0]} is under way")
        if _planning(context.instance):
            return dg.SkipReason("a refresh is about to be planned")
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
    """Whether a planning run is queued or starting, whose refresh is not on record yet."""
    return any(
        instance.get_run_ids(dg.RunsFilter(job_name=name, statuses=_UNFINISHED), limit=1)
        for name in ("incremental_refresh", "full_refresh")
    )


_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


@dg.sensor(
    name="refresh_chunks",
    job=refresh_chunk,
    minimum_interval_seconds=CHUNK_POLL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts a run for every chunk that waits, and again for one whose run has died.",
)
def refresh_chunks(
    context: dg.SensorEvaluationContext, database: DatabaseResource
) -> dg.SensorResult | dg.SkipReason:
    """Request runs for pending chunks; the chunk stays pending until its run claims it."""
    with database.open() as db, db.connect() as connection:
        for lost in release_lost_chunks(connection):
            _report_dead_run(context, lost.run_id)
            finish_if_done(connection, lost.refresh_id)
        for chunk in pending_chunks(connection):
            if _ended_without_claim(context.instance, chunk):
                context.log.warning(f"the run asked for by {_run_key(chunk)} ended before it began")
                give_up_attempt(connection, chunk)
                finish_if_done(connection, chunk.refresh_id)
        pending = pending_chunks(connection)
    if not pending:
        return dg.SkipReason("no chunk waits for a run")
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                # Asked for at every tick until it is claimed; Dagster drops the repetitions.
                run_key=_run_key(chunk),
                run_config={
                    "ops": {
                        "refresh_components": {
                            "config": {"refresh_id": chunk.refresh_id, "chunk": chunk.number}
                        }
                    }
                },
                tags={REFRESH_TAG: chunk.refresh_id},
            )
            for chunk in pending
        ]
    )


def _run_key(chunk: Chunk) -> str:
    return f"{chunk.refresh_id}:{chunk.number}:{chunk.attempt}"


def _ended_without_claim(instance: dg.DagsterInstance, chunk: Chunk) -> bool:
    """Whether a run was asked for and ended, while the chunk still waits for that very run."""
    requested = dg.RunsFilter(tags={"dagster/run_key": _run_key(chunk)})
    return any(run.is_finished for run in instance.get_runs(requested, limit=1))


def _report_dead_run(context: dg.SensorEvaluationContext, run_id: str) -> None:
    """Let Dagster know of a run whose process is gone, or it would hold its slot for good."""
    run = context.instance.get_run_by_id(run_id)
    if run is not None and not run.is_finished:
        context.instance.report_run_failed(run, "the process of this run is gone")
    context.log.warning(f"run {run_id} is gone; its chunk is put back")
