"""The plan of a refresh, made in SQL: manifest rows against index rows, cut into chunks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from library_pipeline.catalog.refresh import RefreshRequest, RefreshScope
from library_pipeline.store.cutting import chunks_to_do, cut_chunks
from library_pipeline.store.embeddings import RegisteredEncoder, embedding_table
from library_pipeline.store.removals import remove_absent

# One row for every manifest entry in scope, with what the index, the vectors, the failures and
# other refreshes say of it. Vectors are those of the active encoders: a candidate's are a reembed's
# business, which brings no revision in and so keeps no component busy. `due` is the whole rule of
# which components a refresh takes up. Only a failure of this very revision makes it wait. Others
# are settled by looking again: also where the indexed revision has come back, as after an edit that
# was undone, or where the entry was at fault.
_COMPARE = """
with busy as materialized (
    select distinct rc.component_id from pipeline.refresh_component rc
    join pipeline.refresh r on r.id = rc.refresh_id
    join pipeline.refresh_chunk k on (k.refresh_id, k.chunk) = (rc.refresh_id, rc.chunk)
    where r.state = 'running' and r.kind <> 'reembed'
      and k.state in ('pending', 'running') and rc.outcome is null
), unreported as materialized (
    select distinct rc.component_id from pipeline.refresh_component rc
    join pipeline.refresh r on r.id = rc.refresh_id
    where rc.reported_at is null and rc.outcome in ('new', 'changed', 'unchanged')
      and r.state not in ('planning', 'running')
), compared as (
    select m.component_id, m.partition_key, m.problem_code is not null as broken,
           b.component_id is not null as busy,
           u.component_id is not null as unreported,
           coalesce(f.revision = m.revision and f.phase <> 'manifest', false) as failed_before,
           case when c.component_id is null or c.removed_at is not null then 'new'
                when c.revision <> m.revision then 'changed' else 'check' end as action,
           case %(kind)s
             when 'retry' then f.component_id is not null
                  and (not %(due_only)s or coalesce(f.next_due_at <= now(), false))
             when 'incremental' then
                case when f.revision = m.revision and f.phase <> 'manifest'
                     then coalesce(f.next_due_at <= now(), false)
                     else f.component_id is not null
                          or c.component_id is null or c.removed_at is not null
                          or c.revision <> m.revision or {lacking} end
             else true end as wanted
    from pipeline.manifest_entry m
    left join pipeline.component c using (component_id)
    left join pipeline.failure f using (component_id)
    left join busy b using (component_id)
    left join unreported u using (component_id)
    {embeddings}
    where (%(client)s::text is null or m.client = %(client)s)
      and (%(category)s::text is null or m.category = %(category)s)
      and (%(only)s::text[] is null or m.component_id = any(%(only)s))
      and (%(kind)s <> 'retry' or f.component_id is not null)
)
select component_id, partition_key, broken, busy, unreported, failed_before, wanted,
       case when wanted then action else 'report' end as action,
       not broken and not busy
           and (wanted or (%(kind)s = 'incremental' and unreported and action = 'check')) as due
from compared
"""
_JOIN = "left join {table} {name} on {name}.screenshot_sha256 = c.screenshot_sha256"
# What this refresh takes up, it also reports; nobody has to come back to the earlier rows.
_TAKE_OVER_REPORTS = """
update pipeline.refresh_component rc set reported_at = now()
from pipeline.refresh_component mine, plan_row p
where mine.refresh_id = %(refresh)s and p.component_id = mine.component_id and p.unreported
  and rc.component_id = mine.component_id and rc.refresh_id <> mine.refresh_id
  and rc.reported_at is null and rc.outcome in ('new', 'changed', 'unchanged')
"""
_MANIFEST_FAILURES = """
insert into pipeline.failure as f (component_id, revision, refresh_id, phase, code, message,
                                   transient)
select m.component_id, m.revision, %(refresh)s, 'manifest', m.problem_code, m.problem, false
from pipeline.manifest_entry m join plan_row p using (component_id) where p.broken
on conflict (component_id) do update set revision = excluded.revision,
    refresh_id = excluded.refresh_id, phase = excluded.phase, code = excluded.code,
    message = excluded.message, transient = false, attempts = f.attempts + 1,
    last_failed_at = now(), next_due_at = null
"""
# What is beyond the limit is not in the refresh's scope.
_COUNTS = """
update pipeline.refresh r set state = 'running', removed = %(removed)s, held_removals = %(held)s,
    total = p.total - p.due + c.taken, failed = p.broken, waiting = p.waiting,
    elsewhere = p.elsewhere, new = c.new, changed = c.changed,
    unchanged = p.total - p.due + c.taken - p.broken - p.waiting - p.elsewhere - c.new - c.changed
from (select count(*) as total, count(*) filter (where broken) as broken,
             count(*) filter (where due) as due,
             count(*) filter (where failed_before and not wanted and not broken and not busy)
                 as waiting,
             count(*) filter (where wanted and busy and not broken) as elsewhere
      from plan_row) p,
     (select count(*) as taken, count(*) filter (where action = 'new') as new,
             count(*) filter (where action = 'changed') as changed
      from pipeline.refresh_component where refresh_id = %(refresh)s) c
where r.id = %(refresh)s
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a refresh is about to do; `new` and `removed` hold partition keys.

    Of the `planned` components `fresh` ones are new or changed and may have to be embedded.
    `unread_sources` could not be read for it.
    """

    refresh_id: str
    chunks: tuple[int, ...]
    planned: int
    fresh: int
    new: tuple[str, ...]
    removed: tuple[str, ...]
    held_removals: int
    unread_sources: tuple[str, ...] = ()


def make_plan(
    connection: psycopg.Connection,
    request: RefreshRequest,
    *,
    encoders: Sequence[RegisteredEncoder],
    chunk_size: int,
    max_removed_share: float,
    buckets: int | None = None,
) -> Plan:
    """Compare manifest and index, record the chunks of the refresh and take removed ones out.

    Everything happens in one transaction, and one plan at a time: a component that an unfinished
    refresh has yet to do is left to it. A narrowed refresh, one of kind `retry` or `selected`,
    and one over a manifest with unidentified entries remove nothing; a removal of more than
    `max_removed_share` of the indexed components is held back until it is approved. With
    `buckets`, those of a hash bucket go into one chunk, or into neighbouring ones.
    """
    parameters = {
        **_terms(request.kind, request.scope),
        "refresh": request.refresh_id,
    }
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtext('pipeline.plan'))")
        connection.execute(
            sql.SQL("create temp table plan_row on commit drop as {}").format(_compare(encoders)),
            parameters,
        )
        cut_chunks(
            connection,
            request.refresh_id,
            size=chunk_size,
            limit=request.scope.limit,
            buckets=buckets,
        )
        connection.execute(_TAKE_OVER_REPORTS, parameters)
        connection.execute(_MANIFEST_FAILURES, parameters)
        removes = request.scope.whole and request.kind in ("full", "incremental")
        removed, held = (
            remove_absent(connection, request.refresh_id, max_removed_share) if removes else ((), 0)
        )
        connection.execute(_COUNTS, {**parameters, "removed": len(removed), "held": held})
        return _read_plan(connection, request.refresh_id, removed, held)


def count_due(connection: psycopg.Connection, encoders: Sequence[RegisteredEncoder]) -> int:
    """Return how many components an incremental refresh would take up, the manifest as it is."""
    count = sql.SQL("select count(*) from ({}) compared where due").format(_compare(encoders))
    row = connection.execute(count, _terms("incremental", RefreshScope())).fetchone()
    return row[0] if row else 0


def _compare(encoders: Sequence[RegisteredEncoder]) -> sql.Composed:
    active = [(sql.Identifier(f"e{each.id}"), each) for each in encoders if each.active]
    joins = [
        sql.SQL(_JOIN).format(name=name, table=embedding_table(each.id)) for name, each in active
    ]
    lacks = [sql.SQL("{}.screenshot_sha256 is null").format(name) for name, _ in active]
    lacking = sql.SQL(" or ").join(lacks) if lacks else sql.SQL("false")
    return sql.SQL(_COMPARE).format(embeddings=sql.SQL(" ").join(joins), lacking=lacking)


def _terms(kind: str, scope: RefreshScope) -> Mapping[str, object]:
    return {
        "kind": kind,
        "due_only": scope.due_only,
        "client": scope.client,
        "category": scope.category,
        "only": list(scope.only) or None,
    }


def _read_plan(
    connection: psycopg.Connection, refresh_id: str, removed: tuple[str, ...], held: int
) -> Plan:
    chunks = chunks_to_do(connection, refresh_id)
    new = connection.execute(
        """select p.partition_key from pipeline.refresh_component t
           join plan_row p using (component_id)
           where t.refresh_id = %s and t.action in ('new', 'report') order by component_id""",
        (refresh_id,),
    ).fetchall()
    fresh = connection.execute(
        "select new + changed from pipeline.refresh where id = %s", (refresh_id,)
    ).fetchone()
    return Plan(
        refresh_id,
        chunks=tuple(chunks),
        planned=sum(chunks.values()),
        fresh=fresh[0] if fresh else 0,
        new=tuple(key for (key,) in new),
        removed=removed,
        held_removals=held,
    )
