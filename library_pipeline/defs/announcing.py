"""Telling Dagster what became of components: a materialization each, or red for a failure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import dagster as dg

from library_pipeline.catalog.failures import Failure
from library_pipeline.catalog.partition_keys import partition_of
from library_pipeline.defs.bucket_materializations import bucket_materializations
from library_pipeline.defs.dagster_storage import (
    log_materializations,
    mark_failed,
    newest_event_id,
)
from library_pipeline.defs.materializations import BUNDLE, materializations
from library_pipeline.defs.partitions import register_partitions
from library_pipeline.refresh.items import Equipment, Report
from library_pipeline.settings import load_settings
from library_pipeline.store.buckets import bucket_versions, failing_buckets
from library_pipeline.store.index import thumbnails


def announce(
    context: dg.AssetExecutionContext,
    equipment: Equipment,
    selected: Sequence[dg.AssetKey],
    reports: Sequence[Report],
) -> None:
    """Materialize, asset by asset, the partitions of components that succeeded.

    A bucket in which a component's failure stands is left as it is shown, in red, whoever else in
    it succeeds; it is materialized with all of its news once that failure is gone.
    """
    buckets = load_settings().refresh.partition_buckets
    keys = sorted({partition_of(report.component_id, buckets) for report in reports})
    # The plan has made new ones known already, unless its run died before.
    register_partitions(context.instance, keys)
    if buckets:
        with equipment.database.connect() as connection:
            failing = failing_buckets(connection, keys, buckets)
        reports = [
            each for each in reports if partition_of(each.component_id, buckets) not in failing
        ]
        keys = [key for key in keys if key not in failing]
    events_of = (
        _of_buckets(equipment, keys, reports, buckets)
        if buckets
        else _of_components(equipment, reports)
    )
    # Whoever tells nothing of bundles read those that were told of before.
    pointer = "NULL" if BUNDLE in selected else newest_event_id(context.instance)
    for asset_key in selected:
        log_materializations(context, events_of(asset_key, upstream_pointer=pointer))
        pointer = newest_event_id(context.instance)


def mark_failures(
    context: dg.AssetExecutionContext,
    selected: Sequence[dg.AssetKey],
    failures: Sequence[Failure],
) -> None:
    """Have the partitions of failed components shown in red once the run ends as a failure."""
    buckets = load_settings().refresh.partition_buckets
    keys = sorted({partition_of(failure.component_id, buckets) for failure in failures})
    # Dagster shows nothing of partitions that it does not know, such as a bucket's before its
    # first component has succeeded.
    register_partitions(context.instance, keys)
    for asset_key in selected:
        mark_failed(context, asset_key, keys)


def _of_components(
    equipment: Equipment, reports: Sequence[Report]
) -> Callable[..., list[dg.AssetMaterialization]]:
    digests = {item.bundle.screenshot_sha256 for item in reports}
    with equipment.database.connect() as connection:
        pictures = thumbnails(connection, digests)
    return partial(
        materializations,
        reports=reports,
        encoders=equipment.registered,
        thumbnails=pictures,
        web_url=load_settings().web_url,
    )


def _of_buckets(
    equipment: Equipment, keys: Sequence[str], reports: Sequence[Report], buckets: int
) -> Callable[..., list[dg.AssetMaterialization]]:
    with equipment.database.connect() as connection:
        versions = bucket_versions(connection, keys, buckets)
    return partial(
        bucket_materializations,
        reports=reports,
        versions=versions,
        buckets=buckets,
        encoders=equipment.registered,
    )
