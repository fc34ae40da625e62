"""The four assets. `cms_manifest` reads and plans; the others are done together, by component."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from library_pipeline.catalog.refresh import AskedBy, Counts
from library_pipeline.defs.config import ChunkConfig, ManifestConfig, Planned
from library_pipeline.defs.markdown import link, refresh_page
from library_pipeline.defs.materializations import (
    BUNDLE,
    CODE_VERSION,
    EMBEDDING,
    INDEX,
    MANIFEST,
    MANIFEST_VERSION,
)
from library_pipeline.defs.partitions import (
    components_partitions,
    forget_partitions,
    register_partitions,
)
from library_pipeline.defs.recovery import recover
from library_pipeline.defs.resources import (
    BundleStoreResource,
    DatabaseResource,
    EncodersResource,
    SourcesResource,
)
from library_pipeline.defs.stopping import stopping
from library_pipeline.defs.work import do_chunk_of_refresh, do_partitions
from library_pipeline.refresh.items import Equipment
from library_pipeline.refresh.manifest import load_current_manifests
from library_pipeline.refresh.planning import plan_refresh
from library_pipeline.settings import load_settings
from library_pipeline.store.closing import finish_if_done
from library_pipeline.store.leases import BUNDLES_IN_USE, lease
from library_pipeline.store.log import new_refresh_id, read_result
from library_pipeline.store.plans import Plan
from library_pipeline.store.removals import approve_removals

ASKED_BY_TAG = "library/asked_by"


@dg.asset(group_name="cms", kinds={"http", "postgres"})
def cms_manifest(
    context: dg.AssetExecutionContext,
    config: ManifestConfig,
    database: DatabaseResource,
    sources: SourcesResource,
    encoders: EncodersResource,
) -> dg.MaterializeResult[Any]:
    """The sources' list of components, complete at any time; a refresh plans its chunks over it."""
    configured = sources.configured()
    version = dg.DataVersion(MANIFEST_VERSION)
    with database.open() as db, lease(db, context.run.run_id):
        if config.refresh is Planned.none:
            done = load_current_manifests(db, configured, conditional=False)
            entries = {each.source: each.entries or 0 for each in done}
            metadata = {"entries": sum(entries.values()), "entries_by_source": entries}
            return dg.MaterializeResult(metadata=metadata, data_version=version)
        with db.connect() as connection:
            recover(context.instance, connection)
            if config.approve_removals:
                context.log.info(f"{approve_removals(connection)} removals approved")
        settings = load_settings().refresh
        plan = plan_refresh(
            db,
            encoders.register(db),
            config.request(new_refresh_id(datetime.now(UTC)), asked_by(context.run)),
            run_id=context.run.run_id,
            chunk_size=settings.chunk_size,
            max_removed_share=settings.max_removed_share,
            buckets=settings.partition_buckets,
            sources=configured,
        )
        if not settings.partition_buckets:
            register_partitions(context.instance, plan.new)
        forget_partitions(context.instance, plan.removed, settings.partition_buckets)
        with db.connect() as connection:
            finish_if_done(connection, plan.refresh_id)
            counts = read_result(connection, plan.refresh_id).counts
    _tell(context, plan)
    return dg.MaterializeResult(metadata=_plan_metadata(plan, counts), data_version=version)


_SPECS = [
    dg.AssetSpec(
        BUNDLE,
        deps=[MANIFEST],
        description="A revision's config, format, records and screenshot, kept by digest.",
        skippable=True,
        group_name="components",
        kinds={"http"},
        code_version=CODE_VERSION,
    ),
    dg.AssetSpec(
        EMBEDDING,
        deps=[BUNDLE],
        description="The screenshot as an L2-normalized vector, one by each encoder.",
        skippable=True,
        group_name="components",
        kinds={"pytorch"},
        code_version=CODE_VERSION,
    ),
    dg.AssetSpec(
        INDEX,
        deps=[EMBEDDING],
        description="The component as search finds it.",
        skippable=True,
        group_name="components",
        kinds={"postgres"},
        code_version=CODE_VERSION,
    ),
]


@dg.multi_asset(
    name="refresh_components",
    specs=_SPECS,
    partitions_def=components_partitions,
    can_subset=True,
    # One run for any range: its components are independent and share the loaded model.
    backfill_policy=dg.BackfillPolicy.single_run(),
    pool="gpu",
)
def refresh_components(
    context: dg.AssetExecutionContext,
    config: ChunkConfig,
    database: DatabaseResource,
    sources: SourcesResource,
    bundle_store: BundleStoreResource,
    encoders: EncodersResource,
) -> Iterator[Any]:
    """Download, embed and index components: a refresh's chunk, or the partitions of a UI run."""
    # Dagster asks a multi-asset for outputs. This one reports its components itself, in batches:
    # an output would mark every key of the run as materialized, the failed ones too.
    yield from ()
    run_id = context.run.run_id
    with database.open() as db, lease(db, run_id, BUNDLES_IN_USE):
        equipment = Equipment(
            database=db,
            bundles=bundle_store.store(),
            # A reembed needs none.
            sources=sources.any_configured(),
            encoders=encoders.in_use(db),
            batch_size=encoders.batch_size,
        )
        with stopping(equipment.stop):
            if config.refresh_id:
                failures = do_chunk_of_refresh(context, equipment, config.refresh_id, config.chunk)
            elif context.has_partition_key or context.has_partition_key_range:
                failures = do_partitions(context, equipment, context.partition_keys)
            else:
                raise dg.Failure(
                    "This run names no components: choose partitions, or start one of the jobs "
                    "incremental_refresh and full_refresh, which find out what to do themselves.",
                    allow_retries=False,
                )
        if equipment.stop.is_set():
            # Dagster then shows the run as cancelled if it was terminated in the UI.
            raise dg.DagsterExecutionInterruptedError
    if failures:
        raise dg.Failure(
            f"{len(failures)} of this run's components failed; the others are done",
            metadata={
                "failed": dg.MetadataValue.json(
                    {item.component_id: f"{item.code}: {item.message}" for item in failures[:100]}
                )
            },
            allow_retries=False,
        )


def asked_by(run: dg.DagsterRun) -> AskedBy:
    """Return who has asked for a planning run."""
    # A sensor starts what was asked for over HTTP; its run says so.
    named: dict[str, AskedBy] = {"cli": "cli", "python": "python", "api": "api"}
    if asker := named.get(run.tags.get(ASKED_BY_TAG, "")):
        return asker
    if "dagster/schedule_name" in run.tags:
        return "schedule"
    return "sensor" if "dagster/sensor_name" in run.tags else "ui"


def _tell(context: dg.AssetExecutionContext, plan: Plan) -> None:
    for name in plan.unread_sources:
        context.log.warning(f"the source {name} could not be read; its components stay as they are")
    context.log.info(
        f"refresh {plan.refresh_id}: {plan.planned} components in {len(plan.chunks)} chunks, "
        f"{len(plan.removed)} removed"
    )
    if plan.held_removals:
        context.log.warning(
            f"{plan.held_removals} components are gone from the manifest, more than the share "
            "that may go unasked (refresh.max_removed_share); they stay searchable until they "
            "are approved: library-pipeline approve, or approve_removals in a run's configuration"
        )


def _plan_metadata(plan: Plan, counts: Counts) -> dict[str, Any]:
    page = refresh_page(load_settings().web_url, plan.refresh_id)
    return {
        "refresh": dg.MetadataValue.md(link(plan.refresh_id, page)),
        "planned": plan.planned,
        "chunks": len(plan.chunks),
        **asdict(counts),
        "held_removals": plan.held_removals,
        "unread_sources": ", ".join(plan.unread_sources),
    }
