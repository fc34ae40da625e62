"""What Dagster recorded of a refresh, and runs as its daemon starts them."""

from __future__ import annotations

import dagster as dg
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from library_pipeline.defs.materializations import BUNDLE, EMBEDDING, INDEX
from library_pipeline.defs.storage import components_partitions

ASSETS = (BUNDLE, EMBEDDING, INDEX)


def materialized(instance: dg.DagsterInstance, asset: dg.AssetKey) -> dict[str, int]:
    """Return how often each partition has been materialized."""
    records = instance.fetch_materializations(asset, limit=1000).records
    keys = [record.partition_key or "" for record in records]
    return {key: keys.count(key) for key in keys}


def failed(instance: dg.DagsterInstance, asset: dg.AssetKey) -> set[str]:
    """Return the partitions that the UI shows in red."""
    cached = get_and_update_asset_status_cache_value(instance, asset, components_partitions)
    assert cached
    subset = cached.deserialize_failed_partition_subsets(components_partitions)
    return set(subset.get_partition_keys())


def stale(instance: dg.DagsterInstance, definitions: dg.Definitions) -> set[tuple[str, str]]:
    """Return the partitions that the UI would not show as fresh."""
    graph = definitions.resolve_asset_graph()
    resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
    return {
        (asset.to_user_string(), key)
        for asset in ASSETS
        for key in instance.get_dynamic_partitions("components")
        if resolver.get_status(asset, key) != StaleStatus.FRESH
    }


def run_of(
    definitions: dg.Definitions, instance: dg.DagsterInstance, request: dg.RunRequest
) -> dg.DagsterRun:
    """Return a run as the daemon makes it of the sensor's request."""
    return instance.create_run_for_job(
        definitions.resolve_job_def(str(request.job_name)),
        run_config=request.run_config,
        tags={
            **request.tags,
            "dagster/run_key": str(request.run_key),
            "dagster/sensor_name": "refresh_requests",
        },
    )


def execute(
    definitions: dg.Definitions, instance: dg.DagsterInstance, request: dg.RunRequest
) -> bool:
    """Do what the daemon has done of the request; whether the run succeeded."""
    tags = {**request.tags, "dagster/run_key": str(request.run_key)}
    tags["dagster/sensor_name"] = "refresh_requests"
    return (
        definitions.resolve_job_def(str(request.job_name))
        .execute_in_process(
            instance=instance, run_config=request.run_config, tags=tags, raise_on_error=False
        )
        .success
    )
