"""Whether a plan is due: polls of the sources, and calls of their webhooks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import psycopg
import structlog
from psycopg.types.json import Jsonb

from library_pipeline.catalog.errors import ManifestError
from library_pipeline.catalog.refresh import RefreshScope
from library_pipeline.refresh.manifest_state import (
    confirm_readable,
    current_manifest,
    last_poll,
    record_poll,
    record_unreadable,
    renew_etag,
)
from library_pipeline.sources.source import Source

log = structlog.get_logger(__name__)

# Polling takes at most a tenth of the time, even of a source that has to be read whole.
_REST = 9


def changed_source(connection: psycopg.Connection, sources: Sequence[Source]) -> str | None:
    """Return the name of the first source that has changed, None if none has.

    A source that cannot be asked counts as unchanged. Raises ManifestError if no source can be
    asked.
    """
    failed: list[ManifestError] = []
    for source in sources:
        if _rests(connection, source):
            continue
        started = time.perf_counter()
        try:
            changed = _changed(connection, source)
        except ManifestError as error:
            log.warning("a source cannot be asked", source=source.name, reason=error.message)
            record_unreadable(connection, source.name, error.message)
            record_poll(connection, source.name, time.perf_counter() - started)
            failed.append(error)
            continue
        confirm_readable(connection, source.name)
        record_poll(connection, source.name, time.perf_counter() - started)
        if changed:
            return source.name
    if failed and len(failed) == len(sources):
        raise failed[0]
    return None


def _changed(connection: psycopg.Connection, source: Source) -> bool:
    known = current_manifest(connection, source.name)
    etag = known.etag if known and known.source == source.identity else None
    with source.open() as opened:
        poll = opened.changed(etag)
    # A sync token may expire; the newer one stands for the same manifest.
    if poll.not_modified and poll.etag and poll.etag != etag:
        renew_etag(connection, source.name, etag, poll.etag)
    return bool(poll)


def _rests(connection: psycopg.Connection, source: Source) -> bool:
    """Return whether the last poll took so long that the next one is not due yet."""
    last = last_poll(connection, source.name)
    if last is None:
        return False
    return datetime.now(UTC) < last.at + timedelta(seconds=_REST * last.took_seconds)


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
