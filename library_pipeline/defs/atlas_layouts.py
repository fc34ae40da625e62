"""The sensor that has the map laid out by UMAP when it is due."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from library_pipeline.defs.jobs import layout_atlas
from library_pipeline.defs.requests import UNFINISHED
from library_pipeline.defs.resources import DatabaseResource
from library_pipeline.search.atlas import umap_is_due
from library_pipeline.store.atlas import atlas_state
from library_pipeline.store.log import unfinished_ids
from library_pipeline.store.registry import active_encoders

POLL_SECONDS = 60
PAUSE = timedelta(hours=1)  # between layouts of a library that keeps growing, or that fail


@dg.sensor(
    name="atlas_layouts",
    job=layout_atlas,
    minimum_interval_seconds=POLL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Has the map laid out by UMAP when it never was, or when more than a tenth of the "
    "screenshots came since; at most once an hour, and while no refresh is at work.",
)
def atlas_layouts(
    context: dg.SensorEvaluationContext, database: DatabaseResource
) -> dg.SkipReason | dg.RunRequest:
    """Ask for a layout of the map where it is due."""
    with database.open() as db, db.connect() as connection:
        due = [
            encoder.name
            for encoder in active_encoders(connection)
            if umap_is_due(atlas_state(connection, encoder))
        ]
        if not due:
            return dg.SkipReason("the map is laid out, or the library is too small for it to be")
        if unfinished_ids(connection):
            return dg.SkipReason("a refresh is at work")
    if context.instance.get_run_ids(_of_layouts(statuses=UNFINISHED), limit=1):
        return dg.SkipReason("the map is being laid out")
    if context.instance.get_run_ids(_of_layouts(created_after=datetime.now(UTC) - PAUSE), limit=1):
        return dg.SkipReason("the map was laid out, or failed to be, in the last hour")
    return dg.RunRequest()


def _of_layouts(
    statuses: list[dg.DagsterRunStatus] | None = None, created_after: datetime | None = None
) -> dg.RunsFilter:
    return dg.RunsFilter(
        job_name=layout_atlas.name,
        statuses=statuses,
        created_after=created_after,
    )
