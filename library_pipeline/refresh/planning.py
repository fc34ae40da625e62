"""When a plan is due, by polls and webhook calls, and how it is made: the start of a refresh."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime

import psycopg
import structlog
from psycopg.types.json import Jsonb

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.catalog.errors import LibraryError, ManifestError
from library_pipeline.catalog.refresh import RefreshRequest, RefreshScope
from library_pipeline.database.connection import Database, lease
from library_pipeline.index.ann import drop_for_bulk_load
from library_pipeline.refresh.closing import stop_refresh
from library_pipeline.refresh.comparison import Plan, make_plan
from library_pipeline.refresh.log import create_refresh, record_unread
from library_pipeline.refresh.manifest import load_current_manifests
from library_pipeline.refresh.manifest_state import (
    confirm_readable,
    current_manifest,
    poll_rests,
    record_poll,
    record_unreadable,
    renew_etag,
)
from library_pipeline.refresh.staging import unknown_components
from library_pipeline.sources.source import Source

log = structlog.get_logger(__name__)


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
                read = load_current_manifests(database, sources, conditional=conditional)
                unread = tuple(each.name for each in sources if each.name not in read)
                record_unread(connection, request.refresh_id, unread)
            if unknown := unknown_components(connection, request.scope.only):
                named = ", ".join(unknown[:5])
                more = f" and {len(unknown) - 5} others" if len(unknown) > 5 else ""
                raise UnknownComponentError(f"the CMS's manifest does not list {named}{more}")
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


def changed_source(connection: psycopg.Connection, sources: Sequence[Source]) -> str | None:
    """Return the name of the first source that has changed, None if none has.

    A source that cannot be asked counts as unchanged. Raises ManifestError if no source can be
    asked.
    """
    failed: list[ManifestError] = []
    for source in sources:
        if poll_rests(connection, source.name):
            continue
        started = time.perf_counter()
        try:
            changed = _has_changed(connection, source)
            confirm_readable(connection, source.name)
        except ManifestError as error:
            log.warning("a source cannot be asked", source=source.name, reason=error.message)
            record_unreadable(connection, source.name, error.message)
            failed.append(error)
            changed = False
        record_poll(connection, source.name, time.perf_counter() - started)
        if changed:
            return source.name
    if failed and len(failed) == len(sources):
        raise failed[0]
    return None


def _has_changed(connection: psycopg.Connection, source: Source) -> bool:
    known = current_manifest(connection, source.name)
    etag = known.etag if known and known.source == source.identity else None
    with source.open() as opened:
        poll = opened.changed(etag)
    # A sync token may expire; the newer one stands for the same manifest.
    if poll.not_modified and poll.etag and poll.etag != etag:
        renew_etag(connection, source.name, etag, poll.etag)
    return bool(poll)


def record_call(connection: psycopg.Connection, source: str) -> datetime:
    """Record a call of `source`; return its time by the database's clock."""
    row = connection.execute(
        """insert into pipeline.webhook_call as w (source) values (%s)
           on conflict (source) do update
               -- Of two calls at once, the one that waits for the other may have begun earlier.
               set called_at = greatest(w.called_at, excluded.called_at), calls = w.calls + 1
           returning called_at""",
        (source,),
    ).fetchone()
    assert row is not None  # noqa: S101 - such an insert returns its row
    return row[0]


def pending_call(connection: psycopg.Connection) -> datetime | None:
    """Return the time of the last call if no plan has begun since, otherwise None."""
    row = connection.execute(
        """select max(called_at) from pipeline.webhook_call
           where called_at > coalesce(%s::timestamptz, '-infinity')""",
        (last_plan(connection),),
    ).fetchone()
    return row[0] if row else None


def last_plan(connection: psycopg.Connection) -> datetime | None:
    """Return when the last plan for the whole library began.

    A plan that failed has seen nothing and does not count, so the calls before it still wait.
    """
    row = connection.execute(
        """select started_at from pipeline.refresh
           where kind in ('full', 'incremental')
             and scope - 'due_only' = %(whole)s::jsonb - 'due_only'
             and (state in ('planning', 'running', 'finished') or total > 0)
           order by started_at desc limit 1""",
        {"whole": Jsonb(asdict(RefreshScope()))},
    ).fetchone()
    return row[0] if row else None
