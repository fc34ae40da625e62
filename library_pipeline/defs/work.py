"""From a Dagster run to the chunks it does, and from what became of them to Dagster's events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from library_pipeline.catalog.failures import Failure
from library_pipeline.catalog.partition_keys import component_id, partition_key
from library_pipeline.catalog.refresh import RefreshScope
from library_pipeline.defs.event_batches import (
    log_materializations,
    mark_failed,
    newest_event_id,
)
from library_pipeline.defs.materializations import (
    BUNDLE,
    EMBEDDING,
    INDEX,
    materializations,
)
from library_pipeline.refresh.chunk import refresh_chunk
from library_pipeline.refresh.items import ChunkReport, Equipment, Stage
from library_pipeline.refresh.planning import plan_refresh
from library_pipeline.settings import load_settings
from library_pipeline.store.chunks import Chunk, claim, lease
from library_pipeline.store.database import Database
from library_pipeline.store.index import thumbnails
from library_pipeline.store.manifest import unknown_components
from library_pipeline.store.refreshes import leave_to_sensors, new_refresh_id, set_planning_run

STAGES: dict[dg.AssetKey, Stage] = {BUNDLE: "bundle", EMBEDDING: "embedding", INDEX: "index"}


def chunk_of_refresh(database: Database, refresh_id: str, chunk: int, run_id: str) -> list[Chunk]:
    """Claim one chunk for the run; empty if another run has it or has done it."""
    with database.connect() as connection:
        claimed = claim(connection, refresh_id, chunk, run_id)
    return [claimed] if claimed else []


def chunks_of_partitions(
    equipment: Equipment, partition_keys: Sequence[str], run_id: str
) -> list[Chunk]:
    """Record a refresh of just these partitions and claim all of it for the run."""
    ids = [component_id(key) for key in partition_keys]
    database, settings = equipment.database, load_settings().refresh
    refresh_id = new_refresh_id(datetime.now(UTC))
    with lease(database, refresh_id), database.connect() as connection:
        if unknown := unknown_components(connection, ids):
            raise dg.Failure(
                f"the manifest does not list {', '.join(unknown[:5])}"
                f"{' and others' if len(unknown) > 5 else ''}; materialize cms_manifest first",
                allow_retries=False,
            )
        plan = plan_refresh(
            database,
            equipment.registered,
            refresh_id=refresh_id,
            kind="selected",
            scope=RefreshScope(only=tuple(ids)),
            asked_by="ui",
            in_process=True,
            chunk_size=settings.chunk_size,
            max_removed_share=0.0,
            cms=None,
        )
        set_planning_run(connection, plan.refresh_id, run_id)
        claimed = [claim(connection, plan.refresh_id, chunk, run_id) for chunk in plan.chunks]
        # From here on the run's own lease counts: if it dies, the chunk sensor starts another.
        leave_to_sensors(connection, plan.refresh_id)
    return [chunk for chunk in claimed if chunk]


def do_chunk(
    context: dg.AssetExecutionContext, equipment: Equipment, chunk: Chunk
) -> Sequence[Failure]:
    """Refresh the chunk's components and tell Dagster what became of each; return the failures."""
    selected = [key for key in STAGES if key in context.selected_asset_keys]
    report = refresh_chunk(
        equipment, chunk, stages=frozenset(STAGES[asset_key] for asset_key in selected)
    )
    _tell_of_success(context, equipment, selected, report)
    keys = [partition_key(failure.component_id) for failure in report.failures]
    for asset_key in selected:
        mark_failed(context, asset_key, keys)
    for failure in report.failures:
        context.log.error(f"{failure.component_id}: {failure.code}: {failure.message}")
    return report.failures


def _tell_of_success(
    context: dg.AssetExecutionContext,
    equipment: Equipment,
    selected: Sequence[dg.AssetKey],
    report: ChunkReport,
) -> None:
    digests = {item.bundle.screenshot_sha256 for item in report.succeeded}
    with equipment.database.connect() as connection:
        pictures = thumbnails(connection, digests)
    pointer = "NULL"
    for asset_key in selected:
        log_materializations(
            context,
            materializations(
                asset_key,
                report.succeeded,
                encoder=equipment.registered,
                thumbnails=pictures,
                upstream_pointer=pointer,
                web_url=load_settings().web_url,
            ),
        )
        pointer = newest_event_id(context.instance)
