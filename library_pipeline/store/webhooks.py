"""Calls by which a CMS tells that it has changed, and the newest call that no plan covers yet.

Calls and plans are compared by the database's clock alone. The CMS changes before it calls, and a
plan asks the CMS after it is on record. So a plan that begins after the call sees the change; a
plan that began before may have missed it.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

import psycopg
from psycopg.types.json import Jsonb

from library_pipeline.catalog.refresh import RefreshScope


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
