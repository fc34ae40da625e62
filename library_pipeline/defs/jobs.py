"""Everything that a person or a sensor can start: the assets, the jobs and their schedules."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import dagster as dg

from library_pipeline.defs.assets import cms_manifest, plan_reembed
from library_pipeline.defs.checks import index_checks, vector_index
from library_pipeline.defs.components import refresh_components
from library_pipeline.defs.pictures import atlas, layout_atlas, look_alikes
from library_pipeline.defs.recovery import RecoveryResource
from library_pipeline.defs.report import refresh_report
from library_pipeline.defs.resources import BundleStoreResource, DatabaseResource
from library_pipeline.defs.storage import COMPONENTS, forget_partitions
from library_pipeline.refresh.chunks import is_bucket
from library_pipeline.refresh.garbage import collect_garbage as delete_garbage
from library_pipeline.refresh.garbage import live_partition_keys
from library_pipeline.settings import load_settings

ASSETS = (cms_manifest, refresh_components, vector_index, look_alikes, atlas, refresh_report)


def _planning(refresh: str) -> dict[str, Any]:
    return {"ops": {"cms_manifest": {"config": {"refresh": refresh}}}}


incremental_refresh = dg.define_asset_job(
    "incremental_refresh",
    selection=dg.AssetSelection.assets(cms_manifest),
    config=_planning("incremental"),
    description="Find the new, changed and removed components of the CMS. The chunk sensor then "
    "starts the runs that bring them in.",
)
full_refresh = dg.define_asset_job(
    "full_refresh",
    selection=dg.AssetSelection.assets(cms_manifest),
    config=_planning("full"),
    description="Check every component against the CMS and repair what differs, in chunk runs.",
)
refresh_chunk = dg.define_asset_job(
    "refresh_chunk",
    selection=dg.AssetSelection.assets(refresh_components).without_checks(),
    description="Bring one chunk of a refresh up to date. Started by the chunk sensor.",
)
close_refresh = dg.define_asset_job(
    "close_refresh",
    selection=dg.AssetSelection.assets(vector_index, look_alikes, atlas, refresh_report)
    | dg.AssetSelection.checks(index_checks),
    description="Build the vector index where it is due, compare new screenshots with all others, "
    "put them onto the map, draw the report and check the index. The chunk sensor starts it after "
    "a refresh with changes or failures.",
)


@dg.job(
    description="Embed searchable components that lack a vector of a configured encoder, from "
    "stored bundles. The chunk sensor then starts the runs that do it."
)
def reembed() -> None:
    """Plan a reembed."""
    plan_reembed()


@dg.op(description="Delete bundles, vectors and records that nothing refers to any more.")
def collect(
    context: dg.OpExecutionContext, database: DatabaseResource, bundle_store: BundleStoreResource
) -> None:
    """Delete garbage older than the settings keep it. Raises GarbageError while a refresh runs."""
    settings = load_settings().refresh
    with database.open() as db:
        found = delete_garbage(
            db,
            bundle_store.store(),
            keep_removed=timedelta(days=settings.keep_removed_days),
            keep_log=timedelta(days=settings.keep_log_days),
        )
        with db.connect() as connection:
            live = live_partition_keys(connection)
    context.log.info(
        f"deleted {found.files} files of {found.file_bytes:,} bytes and {asdict(found.rows)}"
    )
    # Left by a planning run that died before it dropped them, or by another partitioning.
    buckets = settings.partition_buckets
    stray = [
        key
        for key in context.instance.get_dynamic_partitions(COMPONENTS)
        if not (is_bucket(key, buckets) if buckets else key in live)
    ]
    forget_partitions(context.instance, stray)
    context.log.info(f"dropped {len(stray)} partitions that stand for nothing any more")


@dg.job(
    description="Delete bundles, vectors and records that nothing refers to any more, as "
    "`library-pipeline gc` does."
)
def collect_garbage() -> None:
    """Delete what nothing refers to any more."""
    collect()


JOBS = (
    incremental_refresh,
    full_refresh,
    reembed,
    refresh_chunk,
    close_refresh,
    layout_atlas,
    collect_garbage,
)


RECOVERY = RecoveryResource(
    jobs=[job.name for job in JOBS],
    assets=[key.to_user_string() for asset in ASSETS for key in asset.keys],
)


def full_refresh_schedule(cron: str) -> dg.ScheduleDefinition:
    """Return the schedule that checks the whole library, at `cron` in UTC; off by default."""
    return dg.ScheduleDefinition(
        name="full_refresh_schedule",
        job=full_refresh,
        cron_schedule=cron,
        description="Checks every component against the CMS.",
    )


def garbage_schedule(cron: str) -> dg.ScheduleDefinition:
    """Return the schedule that deletes garbage, at `cron` in UTC; off by default."""
    return dg.ScheduleDefinition(
        name="garbage_schedule",
        job=collect_garbage,
        cron_schedule=cron,
        description="Deletes what nothing refers to any more.",
    )
