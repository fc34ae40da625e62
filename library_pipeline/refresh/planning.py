"""The first step of every refresh: read the manifests, compare, and cut chunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import psycopg

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.catalog.errors import LibraryError
from library_pipeline.catalog.refresh import RefreshRequest
from library_pipeline.database.connection import Database
from library_pipeline.database.leases import lease
from library_pipeline.index.ann import drop_for_bulk_load
from library_pipeline.refresh.closing import stop_refresh
from library_pipeline.refresh.comparison import Plan, make_plan
from library_pipeline.refresh.log import create_refresh, record_unread
from library_pipeline.refresh.manifest import load_current_manifests
from library_pipeline.refresh.staging import unknown_components
from library_pipeline.sources.source import Source


class UnknownComponentError(LibraryError):
    """The refresh names components that the manifest does not list."""

    def __init__(self, message: str, *, code: str = "refresh.unknown_component") -> None:
        super().__init__(code, message)


def plan_refresh(
    database: Database,
    encoders: Sequence[EncoderInfo],
    request: RefreshRequest,
    *,
    run_id: str | None,
    chunk_size: int,
    max_removed_share: float,
    buckets: int | None = None,
    sources: Sequence[Source] | None,
) -> Plan:
    """Record the refresh as planned by the Dagster run `run_id`, and return its plan.

    The manifests are read from `sources` first; a full refresh trusts no ETag. Without `sources`,
    as for a reembed, the stored manifests are taken as they are.

    Raises RefreshExistsError if the id is taken. Raises ManifestError if no source can be read
    and UnknownComponentError if the scope names unlisted components; then the refresh is on record
    as failed.
    """
    with lease(database, request.refresh_id), database.connect() as connection:
        create_refresh(connection, request, run_id=run_id)
        try:
            unread: tuple[str, ...] = ()
            if sources is not None:
                conditional = request.kind != "full"
                done = load_current_manifests(database, sources, conditional=conditional)
                read = {each.source for each in done}
                unread = tuple(each.name for each in sources if each.name not in read)
                record_unread(connection, request.refresh_id, unread)
            _check_listed(connection, request.scope.only)
            plan = make_plan(
                connection,
                request,
                encoders=encoders,
                chunk_size=chunk_size,
                max_removed_share=max_removed_share,
                buckets=buckets,
            )
            for encoder in encoders:
                if encoder.configured or request.kind != "reembed":
                    drop_for_bulk_load(connection, encoder, plan.fresh)
        except Exception as error:
            stop_refresh(connection, request.refresh_id, str(error))
            raise
    return replace(plan, unread_sources=unread)


def _check_listed(connection: psycopg.Connection, ids: Sequence[str]) -> None:
    if unknown := unknown_components(connection, ids):
        named = ", ".join(unknown[:5])
        more = f" and {len(unknown) - 5} others" if len(unknown) > 5 else ""
        raise UnknownComponentError(f"the CMS's manifest does not list {named}{more}")
