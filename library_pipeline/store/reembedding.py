"""The plan of a reembed: what is searchable and lacks a vector of a configured encoder."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import sql

from library_pipeline.catalog.refresh import RefreshRequest
from library_pipeline.store.cutting import chunks_to_do, cut_chunks
from library_pipeline.store.embeddings import RegisteredEncoder, embedding_table
from library_pipeline.store.plans import Plan

# What another refresh is at gets its vectors there. One that failed waits, if only due ones are
# wanted, for 1, 2, 4, ... minutes after its last try, at most a day; a new candidate begins anew.
# The tries are counted here and not in the failures, where one of a newer revision may stand.
_COMPARE = """
with busy as materialized (
    select distinct rc.component_id from pipeline.refresh_component rc
    join pipeline.refresh r on r.id = rc.refresh_id
    join pipeline.refresh_chunk k on (k.refresh_id, k.chunk) = (rc.refresh_id, rc.chunk)
    where r.state = 'running' and k.state in ('pending', 'running') and rc.outcome is null
), tried as materialized (
    select rc.component_id, max(r.started_at)
           + least(interval '1 minute' * 2 ^ least(count(*) - 1, 20), interval '1 day') as next_at
    from pipeline.refresh_component rc join pipeline.refresh r on r.id = rc.refresh_id
    where r.kind = 'reembed' and rc.outcome = 'failed'
      and r.started_at > (select max(created_at) from pipeline.encoder where configured)
    group by rc.component_id
), lacking as (
    select c.component_id, b.component_id is not null as busy,
           not %(due_only)s or coalesce(t.next_at <= now(), true) as wanted
    from pipeline.component c
    left join busy b using (component_id)
    left join tried t using (component_id)
    where c.removed_at is null and ({lacks})
)
select component_id, busy, wanted, 'embed'::text as action, wanted and not busy as due from lacking
"""
_LACKS = "not exists (select from {table} e where e.screenshot_sha256 = c.screenshot_sha256)"
_COUNTS = """
update pipeline.refresh r
set state = 'running', total = s.components - p.due + c.taken, changed = c.taken,
    waiting = p.waiting, elsewhere = p.elsewhere,
    unchanged = s.components - p.due - p.waiting - p.elsewhere
from (select count(*) filter (where due) as due,
             count(*) filter (where not wanted and not busy) as waiting,
             count(*) filter (where busy) as elsewhere from plan_row) p,
     (select count(*) as taken from pipeline.refresh_component where refresh_id = %(refresh)s) c,
     (select count(*) as components from pipeline.component where removed_at is null) s
where r.id = %(refresh)s
"""


def make_reembed_plan(
    connection: psycopg.Connection,
    request: RefreshRequest,
    *,
    encoders: Sequence[RegisteredEncoder],
    chunk_size: int,
    buckets: int | None = None,
) -> Plan:
    """Record the chunks of a reembed for the configured ones of `encoders`.

    Everything happens in one transaction, and one plan at a time, as in `make_plan`; the manifest
    and the index's rows are not touched.
    """
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtext('pipeline.plan'))")
        connection.execute(
            sql.SQL("create temp table plan_row on commit drop as {}").format(_compare(encoders)),
            {"due_only": request.scope.due_only},
        )
        cut_chunks(
            connection,
            request.refresh_id,
            size=chunk_size,
            limit=request.scope.limit,
            buckets=buckets,
        )
        connection.execute(_COUNTS, {"refresh": request.refresh_id})
        chunks = chunks_to_do(connection, request.refresh_id)
    planned = sum(chunks.values())
    return Plan(request.refresh_id, tuple(chunks), planned, planned, (), (), 0)


def count_to_reembed(connection: psycopg.Connection, encoders: Sequence[RegisteredEncoder]) -> int:
    """Return how many components a reembed of what is due would take up now."""
    count = sql.SQL("select count(*) from ({}) lacking where due").format(_compare(encoders))
    row = connection.execute(count, {"due_only": True}).fetchone()
    return row[0] if row else 0


def reembed_unfinished(connection: psycopg.Connection) -> bool:
    """Whether a reembed is being planned or under way."""
    row = connection.execute(
        """select exists (select from pipeline.refresh
                          where kind = 'reembed' and state in ('planning', 'running'))"""
    ).fetchone()
    return bool(row and row[0])


def _compare(encoders: Sequence[RegisteredEncoder]) -> sql.Composed:
    lacks = [
        sql.SQL(_LACKS).format(table=embedding_table(each.id))
        for each in encoders
        if each.configured
    ]
    either = sql.SQL(" or ").join(lacks) if lacks else sql.SQL("false")
    return sql.SQL(_COMPARE).format(lacks=either)
