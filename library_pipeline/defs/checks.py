"""The first and the last step of a closing run: build vector indexes, check the whole index."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import psycopg

from library_pipeline.defs.materializations import (
    EMBEDDING,
    INDEX,
    MANIFEST,
    REPORT,
    VECTOR_INDEX,
)
from library_pipeline.defs.resources import DatabaseResource, EncodersResource
from library_pipeline.index.activation import activate_complete, covers_all
from library_pipeline.index.ann import ensure_ann_index
from library_pipeline.index.health import (
    Finding,
    ann_recall,
    embedding_coverage,
    freshness,
    of_every_encoder,
    removals_held,
    vector_norms,
)
from library_pipeline.refresh.closing import refreshes_to_close, set_checked, worth_measuring
from library_pipeline.refresh.history import Vitals, vitals
from library_pipeline.settings import load_settings

MAX_SILENCE = timedelta(days=1)

_Ask = Callable[[psycopg.Connection], Finding]


@dg.asset(key=VECTOR_INDEX, deps=[EMBEDDING], group_name="search", kinds={"postgres"})
def vector_index(
    context: dg.AssetExecutionContext, database: DatabaseResource, encoders: EncodersResource
) -> dg.MaterializeResult[Any]:
    """The HNSW index over each encoder's vectors; small libraries are searched exactly, without."""
    metadata: dict[str, Any] = {}
    with database.open() as db, db.connect() as connection:
        refreshes_to_close(connection, context.run.run_id)  # the later steps close the same ones
        for encoder in encoders.register(db):
            # An encoder is filled faster without its index.
            if encoder.active or covers_all(connection, encoder):
                built = ensure_ann_index(connection, encoder)
                context.log.info(f"{encoder.name}: {built.state}, {built.vectors} vectors")
                metadata[f"{encoder.name} {encoder.fingerprint}"] = {
                    "state": built.state,
                    "vectors": built.vectors,
                    "build_seconds": round(built.seconds, 1),
                }
        if load_settings().refresh.auto_activate:
            for encoder in activate_complete(connection):
                context.log.info(f"{encoder.name} ({encoder.fingerprint}) is active now")
    return dg.MaterializeResult(metadata=metadata)


_CHECKS: dict[str, tuple[dg.AssetKey, str, dg.AssetCheckSeverity, _Ask]] = {
    "every_component_has_an_embedding": (
        EMBEDDING,
        "Every indexed component has a vector of every active encoder.",
        dg.AssetCheckSeverity.ERROR,
        lambda connection: of_every_encoder(connection, embedding_coverage),
    ),
    "vectors_have_norm_1": (
        EMBEDDING,
        "Vectors are finite and L2-normalized.",
        dg.AssetCheckSeverity.ERROR,
        lambda connection: of_every_encoder(connection, vector_norms),
    ),
    "recall_at_10": (
        VECTOR_INDEX,
        "The vector index finds at least 0.98 of what an exact search finds.",
        dg.AssetCheckSeverity.WARN,
        lambda connection: of_every_encoder(connection, ann_recall),
    ),
    "index_is_fresh": (
        INDEX,
        "Every listed component is indexed at its current revision.",
        dg.AssetCheckSeverity.WARN,
        lambda connection: freshness(connection, max_age=MAX_SILENCE),
    ),
    "no_removal_waits_for_approval": (
        MANIFEST,
        "No removal is so large that it waits for a person's approval.",
        dg.AssetCheckSeverity.ERROR,
        removals_held,
    ),
}


def _coverage(state: Vitals) -> dict[str, Any]:
    """Return a table of all encoders with their coverage of the library."""
    records = [
        dg.TableRecord(
            {
                "encoder": each.name,
                "model": each.model,
                "state": each.state,
                "covered": each.covered,
                "components": each.components,
                "share": round(each.share, 4),
                "bytes": each.size,
            }
        )
        for each in state.encoders
    ]
    return {"encoders": dg.MetadataValue.table(records)} if records else {}


def _library(state: Vitals) -> dict[str, Any]:
    """Return counts, sizes and ages; ages also as timestamps, which the UI shows in words."""
    metadata: dict[str, Any] = {
        "components": state.counts.components,
        "open_failures": state.counts.failed,
        "held_removals": state.held_removals,
        "database_bytes": state.database_bytes,
    }
    now = datetime.now(UTC)
    ages = {"manifest": state.age_seconds, "refresh": state.refreshed_seconds_ago}
    for name, age in ages.items():
        if age is not None:
            metadata[f"last_{name}"] = dg.MetadataValue.timestamp(now - timedelta(seconds=age))
            metadata[f"{name}_age_seconds"] = age
    return metadata | _coverage(state)


# Checks that show the state of the library beside their findings.
_WITH_STATE: dict[str, Callable[[Vitals], dict[str, Any]]] = {
    "every_component_has_an_embedding": _coverage,
    "index_is_fresh": _library,
}


@dg.multi_asset_check(
    name="index_checks",
    specs=[
        # Checks come last, because they mark the refreshes as closed.
        dg.AssetCheckSpec(name, asset=asset, description=description, additional_deps=[REPORT])
        for name, (asset, description, _, _) in _CHECKS.items()
    ],
    can_subset=True,
)
def index_checks(
    context: dg.AssetCheckExecutionContext, database: DatabaseResource
) -> Iterator[dg.AssetCheckResult]:
    """Run the selected checks over the whole library, and mark the refreshes as closed."""
    selected = {key.name for key in context.selected_asset_check_keys}
    with database.open() as db, db.connect() as connection:
        closing = refreshes_to_close(connection, context.run.run_id)
        state = vitals(connection) if selected & _WITH_STATE.keys() else None
        for name in sorted(selected):
            if name == "recall_at_10" and closing and not worth_measuring(connection, closing):
                continue
            asset, _, severity, ask = _CHECKS[name]
            finding = ask(connection)
            yield dg.AssetCheckResult(
                check_name=name,
                asset_key=asset,
                passed=finding.ok,
                severity=severity,
                description=finding.summary,
                metadata={
                    **finding.numbers,
                    **(_WITH_STATE[name](state) if state and name in _WITH_STATE else {}),
                    **({"examples": list(finding.examples)} if finding.examples else {}),
                },
            )
        set_checked(connection, closing)
