"""The one place where everything is wired: what `dagster dev` and the command line load."""

import dagster as dg

from library_pipeline.defs.checks import index_checks
from library_pipeline.defs.jobs import (
    ASSETS,
    JOBS,
    RECOVERY,
    full_refresh_schedule,
    garbage_schedule,
)
from library_pipeline.defs.pictures import atlas_layouts
from library_pipeline.defs.resources import resources
from library_pipeline.defs.sensors import (
    cms_sensor,
    encoder_candidates,
    refresh_chunks,
    refresh_requests,
    webhook_sensor,
)
from library_pipeline.settings import Settings, load_settings


def library_definitions(settings: Settings) -> dg.Definitions:
    """Return everything that Dagster runs, configured by `settings`."""
    return dg.Definitions(
        assets=ASSETS,
        asset_checks=[index_checks],
        jobs=JOBS,
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
        resources={**resources(settings), "recovery": RECOVERY},
        # A run is one step that shares a model and overlaps its phases; more processes only cost.
        executor=dg.in_process_executor,
    )


defs = library_definitions(load_settings())
