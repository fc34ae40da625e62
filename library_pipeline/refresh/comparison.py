"""The plan of a refresh, made in SQL: the components that it takes up, cut into chunks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.catalog.refresh import RefreshKind, RefreshRequest, RefreshScope
from library_pipeline.index.embeddings import embedding_table
from library_pipeline.index.removals import remove_absent
from library_pipeline.refresh.chunks import BUCKET

# A comparison returns one row for each component in scope, always with these columns:
#   action      what a chunk does to the component: new, changed, check, embed, or only report
#   due         this refresh takes the component up
#   broken      its manifest entry is at fault
#   waiting     it failed before, and its next try is not due yet
#   elsewhere   another unfinished refresh works on it
#   unreported  an earlier refresh indexed it and ended before it told Dagster

# A reembed brings no revision in, so it keeps components from another reembed only.
_BUSY = """
    select distinct rc.component_id from pipeline.refresh_component rc
    join pipeline.refresh r on r.id = rc.refresh_id
    join pipeline.refresh_chunk k on (k.refresh_id, k.chunk) = (rc.refresh_id, rc.chunk)
    where r.state = 'running' and (r.kind <> 'reembed' or %(kind)s = 'reembed')
      and k.state in ('pending', 'running') and rc.outcome is null
"""
# Manifest entries against the index, the active encoders' vectors, the failures and other
# refreshes. Only a reembed needs the vectors of a candidate. Only a failure of this very revision
# makes a component wait: any other may no longer apply, for example after an edit was undone.
_COMPARE_MANIFEST = """
with busy as materialized ({busy}), unreported as materialized (
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
                          or c.revision <> m.revision or {lacks_vector} end
             else true end as wanted
    from pipeline.manifest_entry m
    left join pipeline.component c using (component_id)
    left join pipeline.failure f using (component_id)
    left join busy b using (component_id)
    left join unreported u using (component_id)
    {joins}
    where (%(client)s::text is null or m.client = %(client)s)
      and (%(category)s::text is null or m.category = %(category)s)
      and (%(only)s::text[] is null or m.component_id = any(%(only)s))
      and (%(kind)s <> 'retry' or f.component_id is not null)
)
select component_id, partition_key, broken, unreported,
       case when wanted then action else 'report' end as action,
       not broken and not busy
           and (wanted or (%(kind)s = 'incremental' and unreported and action = 'check')) as due,
       failed_before and not wanted and not broken and not busy as waiting,
       wanted and busy and not broken as elsewhere
from compared
"""
# Searchable components against the vectors of the configured encoders. With `due_only`, a failed
# component waits 1, 2, 4, ... minutes after its last try, at most a day; a new candidate starts
# the count again. Tries are counted here: the failures may hold one of a newer revision instead.
_COMPARE_VECTORS = """
with busy as materialized ({busy}), tried as materialized (
    select rc.component_id, max(r.started_at)
           + least(interval '1 minute' * 2 ^ least(count(*) - 1, 20), interval '1 day') as next_at
    from pipeline.refresh_component rc join pipeline.refresh r on r.id = rc.refresh_id
    where r.kind = 'reembed' and rc.outcome = 'failed'
      and r.started_at > (select max(created_at) from pipeline.encoder where configured)
    group by rc.component_id
), compared as (
    select c.component_id, c.partition_key, b.component_id is not null as busy,
           {lacks_vector} as lacking,
           not %(due_only)s or coalesce(t.next_at <= now(), true) as wanted
    from pipeline.component c
    left join busy b using (component_id)
    left join tried t using (component_id)
    {joins}
    where c.removed_at is null
)
select component_id, partition_key, false as broken, false as unreported,
       'embed'::text as action, lacking and wanted and not busy as due,
       lacking and not wanted and not busy as waiting, lacking and busy as elsewhere
from compared
"""
_JOIN = "left join {table} {name} on {name}.screenshot_sha256 = c.screenshot_sha256"
_TAKE = """
insert into pipeline.refresh_component (refresh_id, component_id, chunk, action, outcome)
select %(refresh)s, component_id, (row_number() over (order by {order}) - 1) / %(size)s, action,
       case when action = 'report' then 'unchanged' end
from (select component_id, action from plan_row where due order by {order} limit %(limit)s) taken
"""
_CUT = """
insert into pipeline.refresh_chunk (refresh_id, chunk, size)
select refresh_id, chunk, count(*) from pipeline.refresh_component
where refresh_id = %(refresh)s group by refresh_id, chunk
"""
# This refresh reports what it takes up, so the earlier refresh's rows count as reported.
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
# Due components beyond the limit are out of the refresh's scope, so no count has them.
_COUNT = """
update pipeline.refresh r set state = 'running', removed = %(removed)s, held_removals = %(held)s,
    total = p.total - p.due + c.taken, failed = p.broken, waiting = p.waiting,
    elsewhere = p.elsewhere, new = c.new, changed = c.changed,
    unchanged = p.total - p.due + c.taken - p.broken - p.waiting - p.elsewhere - c.new - c.changed
from (select count(*) as total, count(*) filter (where due) as due,
             count(*) filter (where broken) as broken,
             count(*) filter (where waiting) as waiting,
             count(*) filter (where elsewhere) as elsewhere
      from plan_row) p,
     (select count(*) as taken, count(*) filter (where action = 'new') as new,
             count(*) filter (where action in ('changed', 'embed')) as changed
      from pipeline.refresh_component where refresh_id = %(refresh)s) c
where r.id = %(refresh)s
returning r.new + r.changed
"""
# A person may have cancelled the refresh while its manifest was being read.
_HEED_CANCELLATION = """
update pipeline.refresh_chunk set state = 'cancelled' where refresh_id = %(refresh)s
  and (select cancel_asked_at from pipeline.refresh where id = %(refresh)s) is not null
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """The work of a refresh, in chunks; `new` and `removed` hold partition keys.

    Of the `planned` components, `fresh` ones may have to be embedded: the new and the changed
    ones, and all of a reembed. `unread_sources` could not be read for this plan.
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
    encoders: Sequence[EncoderInfo],
    chunk_size: int,
    max_removed_share: float,
    buckets: int | None = None,
) -> Plan:
    """Record the work of `request`, in chunks, and take removed components out of the index.

    A reembed compares the searchable components with the vectors of the configured encoders; any
    other kind compares the manifest with the index. A component that an unfinished refresh still
    has to do is left to that refresh.

    Only a full or an incremental refresh of the whole library removes components. A removal of
    more than `max_removed_share` of the indexed components waits for approval.

    With `buckets`, the components of one hash bucket go into one chunk, or into neighbouring ones.

    Everything happens in one transaction, and plans are made one at a time.
    """
    terms = {
        **_scope_terms(request.kind, request.scope),
        "refresh": request.refresh_id,
        "size": chunk_size,
        "buckets": buckets,
        "limit": request.scope.limit,
    }
    order = sql.SQL("{}, component_id").format(BUCKET) if buckets else sql.SQL("component_id")
    removes = request.scope.whole and request.kind in ("full", "incremental")
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtext('pipeline.plan'))")
        connection.execute(
            sql.SQL("create temp table plan_row on commit drop as {}").format(
                _comparison(request.kind, encoders)
            ),
            terms,
        )
        connection.execute(sql.SQL(_TAKE).format(order=order), terms)
        connection.execute(_CUT, terms)
        connection.execute(_TAKE_OVER_REPORTS, terms)
        connection.execute(_MANIFEST_FAILURES, terms)
        removed, held = (
            remove_absent(connection, request.refresh_id, max_removed_share) if removes else ((), 0)
        )
        counted = connection.execute(
            _COUNT, {**terms, "removed": len(removed), "held": held}
        ).fetchone()
        connection.execute(_HEED_CANCELLATION, terms)
        chunks = dict(
            connection.execute(
                """select chunk, size from pipeline.refresh_chunk
                   where refresh_id = %(refresh)s and state = 'pending' order by chunk""",
                terms,
            ).fetchall()
        )
        new = connection.execute(
            """select p.partition_key from pipeline.refresh_component t
               join plan_row p using (component_id)
               where t.refresh_id = %(refresh)s and t.action in ('new', 'report')
               order by component_id""",
            terms,
        ).fetchall()
    return Plan(
        request.refresh_id,
        chunks=tuple(chunks),
        planned=sum(chunks.values()),
        fresh=counted[0] if counted else 0,
        new=tuple(key for (key,) in new),
        removed=removed,
        held_removals=held,
    )


def count_due(
    connection: psycopg.Connection,
    encoders: Sequence[EncoderInfo],
    kind: RefreshKind = "incremental",
) -> int:
    """Return how many components a refresh of `kind` would take up, by the manifest as it is.

    Failed components count once their next try is due.
    """
    count = sql.SQL("select count(*) from ({}) compared where due").format(
        _comparison(kind, encoders)
    )
    row = connection.execute(count, _scope_terms(kind, RefreshScope(due_only=True))).fetchone()
    return row[0] if row else 0


def reembed_unfinished(connection: psycopg.Connection) -> bool:
    """Return whether a reembed is being planned or carried out."""
    row = connection.execute(
        """select exists (select from pipeline.refresh
                          where kind = 'reembed' and state in ('planning', 'running'))"""
    ).fetchone()
    return bool(row and row[0])


def _comparison(kind: RefreshKind, encoders: Sequence[EncoderInfo]) -> sql.Composed:
    """Return the SELECT that compares for `kind`, with the vectors that a component needs."""
    reembeds = kind == "reembed"
    needed = [
        (sql.Identifier(f"e{each.id}"), embedding_table(each.id))
        for each in encoders
        if (each.configured if reembeds else each.active)
    ]
    joins = [sql.SQL(_JOIN).format(name=name, table=table) for name, table in needed]
    lacks = [sql.SQL("{}.screenshot_sha256 is null").format(name) for name, _ in needed]
    return sql.SQL(_COMPARE_VECTORS if reembeds else _COMPARE_MANIFEST).format(
        busy=sql.SQL(_BUSY),
        joins=sql.SQL(" ").join(joins),
        lacks_vector=sql.SQL("({})").format(sql.SQL(" or ").join(lacks or [sql.SQL("false")])),
    )


def _scope_terms(kind: RefreshKind, scope: RefreshScope) -> Mapping[str, object]:
    return {
        "kind": kind,
        "due_only": scope.due_only,
        "client": scope.client,
        "category": scope.category,
        "only": list(scope.only) or None,
    }
