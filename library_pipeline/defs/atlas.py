"""The asset of the map: where each screenshot lies, by encoder, and how the map looks."""

import base64
from collections.abc import Iterator
from typing import Any

import dagster as dg
import psycopg

from library_pipeline.defs.materializations import EMBEDDING
from library_pipeline.defs.resources import DatabaseResource, EncodersResource
from library_pipeline.search.atlas import Drawn, draw
from library_pipeline.search.atlas_picture import atlas_picture
from library_pipeline.store.embeddings import RegisteredEncoder
from library_pipeline.store.leases import BUNDLES_IN_USE, lease

ATLAS = dg.AssetKey("atlas")


class AtlasConfig(dg.Config):
    """Whether UMAP lays the map out anew; else what is new is placed beside its nearest."""

    lay_out: bool = False


@dg.asset(
    key=ATLAS,
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
    """The map of the library: what looks alike lies together.

    The job `layout_atlas` lays it out by UMAP, which takes a minute for 20,000 screenshots. What
    is new is placed beside its nearest whenever a refresh closes.
    """
    metadata: dict[str, Any] = {}
    with (
        database.open() as db,
        lease(db, context.run.run_id, BUNDLES_IN_USE),
        db.connect() as connection,
    ):
        for encoder in (each for each in encoders.register(db) if each.active):
            drawn = draw(connection, encoder, umap=config.lay_out)
            if drawn is None:
                context.log.info(f"{encoder.name}: the map is up to date")
            else:
                metadata |= _told(connection, encoder, drawn)
    if metadata:
        yield dg.MaterializeResult(metadata=metadata)


def _told(
    connection: psycopg.Connection, encoder: RegisteredEncoder, drawn: Drawn
) -> dict[str, Any]:
    name = f"{encoder.name} {encoder.fingerprint}"
    picture = base64.b64encode(atlas_picture(connection, encoder)).decode()
    return {
        name: {
            "laid_out_by": drawn.method or "nothing: new ones were placed beside their nearest",
            "screenshots": drawn.screenshots,
            "new_screenshots": drawn.added,
        },
        f"{name} map": dg.MetadataValue.md(
            f"![the map of {encoder.name}](data:image/webp;base64,{picture})"
        ),
    }
