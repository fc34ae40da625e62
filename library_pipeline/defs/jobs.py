"""The jobs: two that plan a refresh over the manifest, and the one that does a chunk of it."""

from typing import Any

import dagster as dg

from library_pipeline.defs.assets import cms_manifest, refresh_components


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
    selection=dg.AssetSelection.assets(refresh_components),
    description="Bring one chunk of a refresh up to date. Started by the chunk sensor.",
)
