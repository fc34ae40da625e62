"""The jobs: to plan a refresh, do a chunk of it and close it, to reembed, to clear away."""

from typing import Any

import dagster as dg

from library_pipeline.defs.assets import cms_manifest, refresh_components
from library_pipeline.defs.checks import index_checks, vector_index
from library_pipeline.defs.garbage import collect
from library_pipeline.defs.pictures import atlas, look_alikes
from library_pipeline.defs.reembedding import plan_reembed_op
from library_pipeline.defs.report import refresh_report


def _planning(refresh: str) -> dict[str, Any]:
    return {"ops": {"cms_manifest": {"config": {"refresh": refresh}}}}


incremental_refresh = dg.define_asset_job(
    "incremental_refresh",
    selection=dg.AssetSelection.assets(cms_manifest),
    config=_planning("incremental"),
    description="Find out what is new, changed or gone in the CMS. The chunk sensor then starts "
    "the runs that do it.",
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
    "put them onto the map, draw and check what the refresh has left. Started by the chunk sensor "
    "when a refresh that changed something, or failed at it, is done.",
)


@dg.job(
    description="Give what is searchable the vectors that a configured encoder lacks, from stored "
    "bundles. The chunk sensor then starts the runs that do it."
)
def reembed() -> None:
    """Plan a reembed."""
    plan_reembed_op()


@dg.job(
    description="Delete bundles, vectors and records that nothing refers to any more, as "
    "`library-pipeline gc` does."
)
def collect_garbage() -> None:
    """Delete what nothing refers to any more."""
    collect()
