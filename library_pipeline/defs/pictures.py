"""The assets that a closing refresh leaves for people: the look-alikes and the atlas."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import psycopg

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.database.connection import BUNDLES_IN_USE, lease
from library_pipeline.defs.materializations import EMBEDDING, picture
from library_pipeline.defs.recovery import is_under_way
from library_pipeline.defs.resources import DatabaseResource, EncodersResource
from library_pipeline.index.encoders import active_encoders
from library_pipeline.refresh.log import unfinished_ids
from library_pipeline.search.atlas import draw_atlas, read_atlas_state, update_atlas
from library_pipeline.search.layout import UmapMissing, umap_is_installed
from library_pipeline.search.look_alikes import MAX_PARTNERS, MIN_SIMILARITY, compare_new

POLL_SECONDS = 60
PAUSE = timedelta(hours=1)
"""The time between two layouts, of a library that keeps growing or after a layout that failed."""


@contextmanager
def _open_active_encoders(
    database: DatabaseResource, encoders: EncodersResource
) -> Iterator[tuple[psycopg.Connection, list[EncoderInfo]]]:
    """Yield a connection and the active encoders; no screenshot is deleted meanwhile."""
    with (
        database.open() as db,
        lease(db, BUNDLES_IN_USE),
        db.connect() as connection,
    ):
        # Search does not ask candidates yet, so nothing shows their pairs or their map.
        yield connection, [encoder for encoder in encoders.register(db) if encoder.active]


@dg.asset(
    deps=[EMBEDDING],
    group_name="search",
    kinds={"numpy", "postgres"},
    output_required=False,
)
def look_alikes(
    context: dg.AssetExecutionContext, database: DatabaseResource, encoders: EncodersResource
) -> Iterator[dg.MaterializeResult[Any]]:
    """Pairs of screenshots that look nearly the same. Only new ones are compared, with all."""
    metadata: dict[str, Any] = {}
    with _open_active_encoders(database, encoders) as (connection, active):
        for encoder in active:
            result = compare_new(connection, encoder)
            if result is None:
                context.log.info(f"{encoder.name}: no screenshot is new")
            else:
                metadata[f"{encoder.name} {encoder.fingerprint}"] = {
                    "new_screenshots": result.fresh,
                    "pairs": result.pairs,
                }
    if metadata:
        limits = {"least_similarity": MIN_SIMILARITY, "best_of_each": MAX_PARTNERS}
        yield dg.MaterializeResult(metadata=limits | metadata)


class AtlasConfig(dg.Config):
    """Whether UMAP lays out the map anew; otherwise new screenshots are added to it."""

    lay_out: bool = False


@dg.asset(
    deps=[EMBEDDING],
    group_name="search",
    kinds={"numpy", "postgres"},
    output_required=False,
)
def atlas(
    context: dg.AssetExecutionContext,
    config: AtlasConfig,
    database: DatabaseResource,
    encoders: EncodersResource,
) -> Iterator[dg.MaterializeResult[Any]]:
    """The map of the library, on which similar screenshots are neighbours.

    The job `layout_atlas` lays it out by UMAP, which takes a minute for 20,000 screenshots. When a
    refresh closes, new screenshots are placed beside their nearest neighbours.
    """
    metadata: dict[str, Any] = {}
    with _open_active_encoders(database, encoders) as (connection, active):
        for encoder in active:
            try:
                update = update_atlas(connection, encoder, umap=config.lay_out)
            except UmapMissing as missing:
                raise dg.Failure(missing.message, allow_retries=False) from None
            if update is None:
                context.log.info(f"{encoder.name}: the map is up to date")
                continue
            name = f"{encoder.name} {encoder.fingerprint}"
            metadata[name] = {
                "laid_out_by": update.method
                or "nothing: new screenshots were placed beside their nearest neighbours",
                "screenshots": update.screenshots,
                "new_screenshots": update.added,
            }
            webp = draw_atlas(connection, encoder)
            metadata[f"{name} map"] = dg.MetadataValue.md(
                picture(f"the map of {encoder.name}", webp)
            )
    if metadata:
        yield dg.MaterializeResult(metadata=metadata)


layout_atlas = dg.define_asset_job(
    "layout_atlas",
    selection=dg.AssetSelection.assets(atlas),
    config={"ops": {"atlas": {"config": {"lay_out": True}}}},
    description="Lay out the map of the library anew by UMAP. Takes a minute for 20,000 "
    "screenshots. Needs the extra `atlas`. The sensor atlas_layouts starts it when it is due.",
)


@dg.sensor(
    name="atlas_layouts",
    job=layout_atlas,
    minimum_interval_seconds=POLL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Lays out the map by UMAP if it never was, or if more than a tenth of the "
    "screenshots are newer than the layout: at most once an hour, while no refresh is running. "
    "Needs the extra `atlas`.",
)
def atlas_layouts(
    context: dg.SensorEvaluationContext, database: DatabaseResource
) -> dg.SkipReason | dg.RunRequest:
    """Request a layout of the map when one is due."""
    if not umap_is_installed():
        return dg.SkipReason(UmapMissing().message)
    with database.open() as db, db.connect() as connection:
        if not any(
            read_atlas_state(connection, encoder).umap_is_due
            for encoder in active_encoders(connection)
        ):
            return dg.SkipReason("the map is laid out, or the library is too small for a layout")
        if unfinished_ids(connection):
            return dg.SkipReason("a refresh is running")
    if is_under_way(context.instance, layout_atlas.name):
        return dg.SkipReason("a layout of the map is running")
    layouts = dg.RunsFilter(job_name=layout_atlas.name, created_after=datetime.now(UTC) - PAUSE)
    if context.instance.get_run_ids(layouts, limit=1):
        return dg.SkipReason("a layout of the map ran in the last hour")
    return dg.RunRequest()
