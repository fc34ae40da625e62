"""The one place where everything is wired: what `dagster dev` and the command line load."""

import dagster as dg

from library_pipeline.defs.assets import cms_manifest, refresh_components
from library_pipeline.defs.checks import index_checks, vector_index
from library_pipeline.defs.jobs import (
    close_refresh,
    collect_garbage,
    full_refresh,
    incremental_refresh,
    reembed,
    refresh_chunk,
)
from library_pipeline.defs.pictures import atlas, atlas_layouts, layout_atlas, look_alikes
from library_pipeline.defs.report import refresh_report
from library_pipeline.defs.requested import refresh_requests
from library_pipeline.defs.resources import resources
from library_pipeline.defs.schedules import full_refresh_schedule, garbage_schedule
from library_pipeline.defs.sensors import (
    cms_sensor,
    encoder_candidates,
    refresh_chunks,
    webhook_sensor,
)
from library_pipeline.settings import Settings, load_settings


def library_definitions(settings: Settings) -> dg.Definitions:
    """Return everything that Dagster runs, as `settings` have it."""
    return dg.Definitions(
        assets=[
            cms_manifest,
            refresh_components,
            vector_index,
            look_alikes,
            atlas,
            refresh_report,
        ],
        asset_checks=[index_checks],
        jobs=[
            incremental_refresh,
            full_refresh,
            reembed,
            refresh_chunk,
            close_refresh,
            layout_atlas,
            collect_garbage,
        ],
        schedules=[
            full_refresh_schedule(settings.refresh.full_schedule),
            garbage_schedule(settings.refresh.garbage_schedule),
        ],
        sensors=[
            cms_sensor(settings.refresh.poll_seconds),
            webhook_sensor(running=bool(settings.webhooks)),
            encoder_candidates,
            refresh_chunks,
            atlas_layouts,
            refresh_requests,
        ],
        resources=resources(settings),
        # A run is one step that shares a model and overlaps its phases; more processes only cost.
        executor=dg.in_process_executor,
    )


defs = library_definitions(load_settings())
