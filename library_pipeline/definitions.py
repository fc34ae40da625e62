"""The one place where everything is wired: what `dagster dev` and the command line load."""

import dagster as dg

from library_pipeline.defs.assets import cms_manifest, refresh_components
from library_pipeline.defs.jobs import full_refresh, incremental_refresh, refresh_chunk
from library_pipeline.defs.resources import resources
from library_pipeline.defs.schedules import full_refresh_schedule
from library_pipeline.defs.sensors import cms_sensor, refresh_chunks
from library_pipeline.settings import load_settings

_settings = load_settings()

defs = dg.Definitions(
    assets=[cms_manifest, refresh_components],
    jobs=[incremental_refresh, full_refresh, refresh_chunk],
    schedules=[full_refresh_schedule(_settings.refresh.full_schedule)],
    sensors=[cms_sensor(_settings.refresh.poll_seconds), refresh_chunks],
    resources=resources(_settings),
    # A run is one step that shares a model and overlaps its phases; more processes only cost.
    executor=dg.in_process_executor,
)
