"""The garbage collection as a Dagster op; it also drops partitions whose component is gone."""

from dataclasses import asdict
from datetime import timedelta

import dagster as dg

from library_pipeline.defs.dagster_storage import delete_partitions
from library_pipeline.defs.partitions import NAME
from library_pipeline.defs.resources import BundleStoreResource, DatabaseResource
from library_pipeline.refresh.garbage import collect_garbage
from library_pipeline.settings import load_settings
from library_pipeline.store.buckets import is_bucket
from library_pipeline.store.database import Database
from library_pipeline.store.garbage import live_partition_keys
from library_pipeline.store.leases import lease


@dg.op(description="Delete bundles, vectors and records that nothing refers to any more.")
def collect(
    context: dg.OpExecutionContext, database: DatabaseResource, bundle_store: BundleStoreResource
) -> None:
    """Collect the garbage, as old as the settings want it. Fails while a refresh is at work."""
    settings = load_settings().refresh
    with database.open() as db, lease(db, context.run_id):
        found = collect_garbage(
            db,
            bundle_store.store(),
            keep_removed=timedelta(days=settings.keep_removed_days),
            keep_log=timedelta(days=settings.keep_log_days),
        )
        context.log.info(
            f"deleted {found.files} files of {found.file_bytes:,} bytes and {asdict(found.rows)}"
        )
        stray = _forget_stray_partitions(context.instance, db, settings.partition_buckets)
        context.log.info(f"dropped {stray} partitions that stand for nothing any more")


def _forget_stray_partitions(
    instance: dg.DagsterInstance, database: Database, buckets: int | None
) -> int:
    """Drop partitions of a planner that died before it could, or of another partitioning."""
    known = instance.get_dynamic_partitions(NAME)
    if buckets:
        stray = [key for key in known if not is_bucket(key, buckets)]
    else:
        with database.connect() as connection:
            live = live_partition_keys(connection)
        stray = [key for key in known if key not in live]
    if stray:
        delete_partitions(instance, NAME, stray)
    return len(stray)
