"""The asset of near-duplicates: which screenshots look all but the same, by encoder."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from library_pipeline.defs.materializations import EMBEDDING
from library_pipeline.defs.resources import DatabaseResource, EncodersResource
from library_pipeline.search.look_alikes import compare_new
from library_pipeline.store.leases import BUNDLES_IN_USE, lease
from library_pipeline.store.look_alikes import FLOOR, KEPT

LOOK_ALIKES = dg.AssetKey("look_alikes")


@dg.asset(
    key=LOOK_ALIKES,
    deps=[EMBEDDING],
    group_name="search",
    kinds={"numpy", "postgres"},
    output_required=False,
)
def look_alikes(
    context: dg.AssetExecutionContext, database: DatabaseResource, encoders: EncodersResource
) -> Iterator[dg.MaterializeResult[Any]]:
    """Pairs of screenshots that look all but the same; only new ones are compared, with all."""
    metadata: dict[str, Any] = {"least_similarity": FLOOR, "best_of_each": KEPT}
    done = False
    with (
        database.open() as db,
        lease(db, context.run.run_id, BUNDLES_IN_USE),
        db.connect() as connection,
    ):
        # A candidate has nobody who looks at its pairs yet.
        for encoder in (each for each in encoders.register(db) if each.active):
            compared = compare_new(connection, encoder)
            if compared is None:
                context.log.info(f"{encoder.name}: no screenshot is new")
                continue
            done = True
            metadata[f"{encoder.name} {encoder.fingerprint}"] = {
                "new_screenshots": compared.fresh,
                "pairs": compared.pairs,
            }
    if done:
        yield dg.MaterializeResult(metadata=metadata)
