"""From a Dagster run to the chunks it does, and from what became of them to Dagster's events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import dagster as dg

from library_pipeline.catalog.failures import Failure
from library_pipeline.catalog.refresh import RefreshRequest, RefreshScope
from library_pipeline.defs.announcing import announce, mark_failures
from library_pipeline.defs.materializations import BUNDLE, EMBEDDING, INDEX
from library_pipeline.defs.partitions import components_of
from library_pipeline.refresh.chunk import refresh_chunk
from library_pipeline.refresh.items import Equipment, Stage
from library_pipeline.refresh.planning import UnknownComponentError, plan_refresh
from library_pipeline.settings import load_settings
from library_pipeline.store.chunks import Chunk, claim, next_chunk
from library_pipeline.store.leases import lease
from library_pipeline.store.log import leave_to_sensors, new_refresh_id

STAGES: dict[dg.AssetKey, Stage] = {BUNDLE: "bundle", EMBEDDING: "embedding", INDEX: "index"}


def do_chunk_of_refresh(
    context: dg.AssetExecutionContext, equipment: Equipment, refresh_id: str, chunk: int
) -> list[Failure]:
    """Do one chunk, unless another run has it or has done it; return the final failures."""
    with equipment.database.connect() as connection:
        claimed = claim(connection, refresh_id, chunk, context.run.run_id)
    if claimed is None:
        context.log.info(f"refresh {refresh_id}, chunk {chunk}: somebody else has done or has it")
        return []
    return _do_chunk(context, equipment, claimed)


def do_partitions(
    context: dg.AssetExecutionContext, equipment: Equipment, partition_keys: Sequence[str]
) -> list[Failure]:
    """Record a refresh of just these partitions and do all of it; return the final failures.

    What another unfinished refresh is at already is left to it.
    """
    database, run_id = equipment.database, context.run.run_id
    ids = components_of(database, partition_keys, load_settings().refresh.partition_buckets)
    refresh_id = new_refresh_id(datetime.now(UTC))
    with lease(database, refresh_id), database.connect() as connection:
        _plan(context, equipment, refresh_id, ids)
        first = next_chunk(connection, refresh_id)
        chunk = None if first is None else claim(connection, refresh_id, first, run_id)
        # From here on the run's own lease counts: if it dies, the chunk sensor starts another.
        leave_to_sensors(connection, refresh_id)
    failures: list[Failure] = []
    while chunk:
        failures += _do_chunk(context, equipment, chunk)
        chunk = None if equipment.stop.is_set() else _claim_next(equipment, refresh_id, run_id)
    return failures


def _plan(
    context: dg.AssetExecutionContext, equipment: Equipment, refresh_id: str, ids: Sequence[str]
) -> None:
    settings = load_settings().refresh
    request = RefreshRequest(
        refresh_id=refresh_id,
        kind="selected",
        asked_by="ui",
        scope=RefreshScope(only=tuple(ids)),
        in_process=True,
    )
    try:
        plan = plan_refresh(
            equipment.database,
            equipment.registered,
            request,
            run_id=context.run.run_id,
            chunk_size=settings.chunk_size,
            max_removed_share=0.0,
            sources=None,
        )
    except UnknownComponentError as error:
        raise dg.Failure(f"{error}; materialize cms_manifest first", allow_retries=False) from error
    if plan.planned < len(ids):
        context.log.info(
            f"{len(ids) - plan.planned} of {len(ids)} components are left out: another unfinished "
            "refresh is at them, or their manifest entry is broken"
        )


def _claim_next(equipment: Equipment, refresh_id: str, run_id: str) -> Chunk | None:
    with equipment.database.connect() as connection:
        number = next_chunk(connection, refresh_id)
        return None if number is None else claim(connection, refresh_id, number, run_id)


def _do_chunk(
    context: dg.AssetExecutionContext, equipment: Equipment, chunk: Chunk
) -> list[Failure]:
    """Do a claimed chunk, tell Dagster, and return the failures that stand for this refresh."""
    selected = [key for key in STAGES if key in context.selected_asset_keys]
    if chunk.kind == "reembed":
        # The index is told of as well: its row now stands on these vectors too, so it is not stale.
        selected = [key for key in selected if key != BUNDLE]
    # Their transient failures come up once more at the refresh's end; only then they are final.
    report = refresh_chunk(
        equipment,
        chunk,
        tell=partial(announce, context, equipment, selected),
        stages=frozenset(STAGES[asset_key] for asset_key in selected),
    )
    final = [item for item in report.failures if chunk.second_try or not item.transient]
    # A component that a reembed fails at is searchable as it was.
    failed = [EMBEDDING] if chunk.kind == "reembed" else selected
    mark_failures(context, failed, final)
    for failure in report.failures:
        again = "" if failure in final else " (will be tried again at the end of the refresh)"
        context.log.warning(f"{failure.component_id}: {failure.code}: {failure.message}{again}")
    return final
