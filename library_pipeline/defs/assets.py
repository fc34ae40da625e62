"""The asset `cms_manifest` and the op `plan_reembed`: both plan a refresh, and chunks do it."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Self

import dagster as dg
from pydantic import Field

from library_pipeline.catalog.refresh import AskedBy, Counts, RefreshRequest, RefreshScope
from library_pipeline.database.connection import Database
from library_pipeline.defs.materializations import MANIFEST_VERSION, link, refresh_page
from library_pipeline.defs.recovery import RecoveryResource, location_of
from library_pipeline.defs.resources import DatabaseResource, EncodersResource, SourcesResource
from library_pipeline.defs.storage import forget_partitions, register_partitions
from library_pipeline.index.removals import approve_removals
from library_pipeline.refresh.closing import finish_if_done
from library_pipeline.refresh.comparison import Plan
from library_pipeline.refresh.log import new_refresh_id, read_result
from library_pipeline.refresh.manifest import load_current_manifests
from library_pipeline.refresh.planning import plan_refresh
from library_pipeline.settings import load_settings
from library_pipeline.sources.source import Source

ASKED_BY_TAG = "library/asked_by"
PLAN = "plan_reembed"


class PlanKind(Enum):
    """Which refresh a manifest run plans; Dagster's configuration takes no Literal."""

    none = "none"
    incremental = "incremental"
    full = "full"
    retry = "retry"


class ReembedConfig(dg.Config):
    """Run configuration of a reembed; the fields are common to all plans."""

    limit: int | None = Field(default=None, description="At most this many components.")
    due_only: bool = Field(
        default=False, description="Leave out failed components whose next try is not due."
    )
    refresh_id: str | None = Field(default=None, description="Set by the command line.")
    in_process: bool = Field(default=False, description="Set by the command line.")

    @classmethod
    def of(cls, request: RefreshRequest) -> Self:
        """Return the configuration of a run that plans `request`."""
        terms = {**asdict(request.scope), "only": list(request.scope.only), **asdict(request)}
        if "refresh" in cls.model_fields:
            terms["refresh"] = PlanKind(request.kind)
        return cls(**{name: value for name, value in terms.items() if name in cls.model_fields})

    def request(self, refresh_id: str, asked_by: AskedBy) -> RefreshRequest:
        """Return the refresh that this configuration asks for."""
        return RefreshRequest(
            refresh_id=self.refresh_id or refresh_id,
            kind="reembed",
            asked_by=asked_by,
            scope=RefreshScope(limit=self.limit, due_only=self.due_only),
            in_process=self.in_process,
        )


class ManifestConfig(ReembedConfig):
    """Run configuration of `cms_manifest`. By default it reads the manifest and plans nothing."""

    refresh: PlanKind = Field(
        default=PlanKind.none, description="Which refresh to plan over the manifest."
    )
    client: str | None = Field(default=None, description="Only components of this client.")
    category: str | None = Field(default=None, description="Only components of this category.")
    only: list[str] = Field(default=[], description="Only the components with these ids.")
    due_only: bool = Field(default=False, description="Retry only failures that are due.")
    force: bool = Field(default=False, description="Download and embed everything again.")
    approve_removals: bool = Field(
        default=False, description="Approve the removals that are held back now."
    )

    def request(self, refresh_id: str, asked_by: AskedBy) -> RefreshRequest:
        """Return the refresh that this configuration asks for. Raises ValueError for `none`."""
        if self.refresh is PlanKind.none:
            raise ValueError("this run was not asked to plan a refresh")
        return RefreshRequest(
            refresh_id=self.refresh_id or refresh_id,
            kind=self.refresh.value,
            asked_by=asked_by,
            scope=RefreshScope(
                client=self.client,
                category=self.category,
                limit=self.limit,
                only=tuple(self.only),
                due_only=self.due_only,
            ),
            force=self.force,
            in_process=self.in_process,
        )


@dg.asset(group_name="cms", kinds={"http", "postgres"})
def cms_manifest(
    context: dg.AssetExecutionContext,
    config: ManifestConfig,
    database: DatabaseResource,
    sources: SourcesResource,
    encoders: EncodersResource,
    recovery: RecoveryResource,
) -> dg.MaterializeResult[Any]:
    """The sources' list of components, complete at any time; a refresh plans its chunks over it."""
    configured = sources.configured()
    version = dg.DataVersion(MANIFEST_VERSION)
    with database.open() as db:
        if config.refresh is PlanKind.none:
            read = load_current_manifests(db, configured, conditional=False)
            entries = {source: count or 0 for source, count in read.items()}
            metadata = {"entries": sum(entries.values()), "entries_by_source": entries}
            return dg.MaterializeResult(metadata=metadata, data_version=version)
        if config.approve_removals:
            with db.connect() as connection:
                context.log.info(f"{approve_removals(connection)} removals approved")
        plan, counts = _plan(context, config, db, encoders, recovery, configured)
    for name in plan.unread_sources:
        context.log.warning(f"the source {name} could not be read; its components stay as they are")
    if plan.held_removals:
        context.log.warning(
            f"{plan.held_removals} components are gone from the manifest, more than the share "
            "that may go unasked (refresh.max_removed_share); they stay searchable until they "
            "are approved: library-pipeline approve, or approve_removals in a run's configuration"
        )
    page = refresh_page(load_settings().web_url, plan.refresh_id)
    metadata = {
        "refresh": dg.MetadataValue.md(link(plan.refresh_id, page)),
        "planned": plan.planned,
        "chunks": len(plan.chunks),
        **asdict(counts),
        "held_removals": plan.held_removals,
        "unread_sources": ", ".join(plan.unread_sources),
    }
    return dg.MaterializeResult(metadata=metadata, data_version=version)


@dg.op(name=PLAN, description="Find what lacks vectors of a configured encoder, and cut chunks.")
def plan_reembed(
    context: dg.OpExecutionContext,
    config: ReembedConfig,
    database: DatabaseResource,
    encoders: EncodersResource,
    recovery: RecoveryResource,
) -> None:
    """Plan a reembed, without asking the CMS."""
    with database.open() as db:
        _plan(context, config, db, encoders, recovery, None)


def _plan(
    context: dg.OpExecutionContext | dg.AssetExecutionContext,
    config: ReembedConfig,
    database: Database,
    encoders: EncodersResource,
    recovery: RecoveryResource,
    sources: Sequence[Source] | None,
) -> tuple[Plan, Counts]:
    """Plan the refresh that `config` asks for; the chunk sensor or the command line does it."""
    settings = load_settings().refresh
    run = context.run
    with database.connect() as connection:
        recovery.recover(context.instance, connection, location_of(run))
    plan = plan_refresh(
        database,
        encoders.register(database),
        config.request(new_refresh_id(datetime.now(UTC)), asked_by(run)),
        run_id=run.run_id,
        chunk_size=settings.chunk_size,
        max_removed_share=settings.max_removed_share,
        buckets=settings.partition_buckets,
        sources=sources,
    )
    if not settings.partition_buckets:
        register_partitions(context.instance, plan.new)
        forget_partitions(context.instance, plan.removed)
    with database.connect() as connection:
        finish_if_done(connection, plan.refresh_id)
        counts = read_result(connection, plan.refresh_id).counts
    context.log.info(
        f"refresh {plan.refresh_id}: {plan.planned} components in {len(plan.chunks)} chunks, "
        f"{len(plan.removed)} removed"
    )
    return plan, counts


def asked_by(run: dg.DagsterRun) -> AskedBy:
    """Return who asked for a planning run."""
    # A sensor starts the refreshes that HTTP requests ask for; the tag says who asked.
    named: dict[str, AskedBy] = {"cli": "cli", "python": "python", "api": "api"}
    if asker := named.get(run.tags.get(ASKED_BY_TAG, "")):
        return asker
    if "dagster/schedule_name" in run.tags:
        return "schedule"
    return "sensor" if "dagster/sensor_name" in run.tags else "ui"
