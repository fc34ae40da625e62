"""The plan of a refresh, made in SQL: manifest rows against index rows, cut into chunks."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

from library_pipeline.catalog.refresh import RefreshKind, RefreshScope
from library_pipeline.store.embeddings import RegisteredEncoder, embedding_table

# One row for every manifest entry in scope, with what the index, the vectors and the
# failures say of it. `due` is the whole rule of which components a refresh takes up.
_COMPARE = """
select m.component_id, m.problem_code is not null as broken,
       case when c.component_id is null or c.removed_at is not null then 'new'
            when c.revision <> m.revision then 'changed' else 'check' end as action,
       case %(kind)s
         when 'retry' then f.component_id is not null
         when 'incremental' then
            case when f.component_id is null or f.revision <> m.revision
                 then c.component_id is null or c.removed_at is not null
                      or c.revision <> m.revision or e.screenshot_sha256 is null
                 else coalesce(f.next_due_at <= now(), false) end
         else true end as due,
       f.component_id is not null and f.revision = m.revision as failed_before
from pipeline.manifest_entry m
left join pipeline.component c using (component_id)
left join pipeline.failure f using (component_id)
left join {embedding} e on e.screenshot_sha256 = c.screenshot_sha256
where (%(client)s::text is null or m.client = %(client)s)
  and (%(only)s::text[] is null or m.component_id = any(%(only)s))
"""
_CHUNK_COMPONENTS = """
insert into pipeline.refresh_component (refresh_id, component_id, chunk, action)
select %(refresh)s, component_id, (row_number() over (order by component_id) - 1) / %(size)s, action
from (select component_id, action from plan_row where due and not broken
      order by component_id limit %(limit)s) taken
"""
_CHUNKS = """
insert into pipeline.refresh_chunk (refresh_id, chunk, size)
select refresh_id, chunk, count(*) from pipeline.refresh_component
where refresh_id = %(refresh)s group by refresh_id, chunk
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
_REMOVE_ABSENT = """
update pipeline.component c set removed_at = now() where c.removed_at is null
  and not exists (select from pipeline.manifest_entry m where m.component_id = c.component_id)
returning partition_key
"""
_COUNTS = """
update pipeline.refresh r set state = 'running', removed = %(removed)s, held_removals = %(held)s,
    total = p.total, failed = p.broken, waiting = p.waiting
from (select count(*) as total, count(*) filter (where broken) as broken,
             count(*) filter (where failed_before and not due and not broken) as waiting
      from plan_row) p
where r.id = %(refresh)s
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a refresh is about to do; `removed` and `new` hold partition keys."""

    refresh_id: str
    chunks: tuple[int, ...]
    planned: int
    new: tuple[str, ...]
    removed: tuple[str, ...]
    held_removals: int


def make_plan(
    connection: psycopg.Connection,
    refresh_id: str,
    *,
    kind: RefreshKind,
    scope: RefreshScope,
    encoder: RegisteredEncoder,
    chunk_size: int,
    max_removed_share: float,
) -> Plan:
    """Compare manifest and index, record the chunks of `refresh_id` and take removed ones out.

    Everything happens in one transaction. A narrowed refresh, one of kind `retry` or `selected`,
    and one over a manifest with unidentified entries remove nothing; a removal of more than
    `max_removed_share` of the indexed components is held back and counted.
    """
    parameters = {
        "refresh": refresh_id,
        "kind": kind,
        "client": scope.client,
        "only": list(scope.only) or None,
        "limit": scope.limit,
        "size": chunk_size,
    }
    compare = sql.SQL("create temp table plan_row on commit drop as {}")
    with connection.transaction():
        connection.execute(compare.format(_comparison(encoder)), parameters)
        connection.execute(_CHUNK_COMPONENTS, parameters)
        connection.execute(_CHUNKS, parameters)
        connection.execute(_MANIFEST_FAILURES, parameters)
        removes = scope.whole and kind in ("full", "incremental")
        removed, held = _remove_absent(connection, max_removed_share) if removes else ((), 0)
        connection.execute(_COUNTS, {**parameters, "removed": len(removed), "held": held})
        return _read_plan(connection, refresh_id, removed, held)


def count_due(connection: psycopg.Connection, encoder: RegisteredEncoder) -> int:
    """Return how many components an incremental refresh would take up, the manifest as it is."""
    count = sql.SQL("select count(*) from ({}) compared where due and not broken")
    everything = {"kind": "incremental", "client": None, "only": None}
    row = connection.execute(count.format(_comparison(encoder)), everything).fetchone()
    return row[0] if row else 0


def _comparison(encoder: RegisteredEncoder) -> sql.Composed:
    return sql.SQL(_COMPARE).format(embedding=embedding_table(encoder.id))


def _remove_absent(
    connection: psycopg.Connection, max_removed_share: float
) -> tuple[tuple[str, ...], int]:
    """Tombstone what the manifest lacks; return the partition keys, or how many are held back."""
    manifest = connection.execute("select unidentified from pipeline.manifest").fetchone()
    if manifest is None or manifest[0]:
        return (), 0
    row = connection.execute(
        """select count(*) filter (where m.component_id is null), count(*)
           from pipeline.component c left join pipeline.manifest_entry m using (component_id)
           where c.removed_at is null"""
    ).fetchone()
    absent, indexed = row or (0, 0)
    if absent > max_removed_share * indexed:
        return (), absent
    keys = tuple(row[0] for row in connection.execute(_REMOVE_ABSENT))
    connection.execute(
        """delete from pipeline.failure f where not exists
           (select from pipeline.manifest_entry m where m.component_id = f.component_id)"""
    )
    return keys, 0


def _read_plan(
    connection: psycopg.Connection, refresh_id: str, removed: tuple[str, ...], held: int
) -> Plan:
    chunks = connection.execute(
        "select chunk, size from pipeline.refresh_chunk where refresh_id = %s order by chunk",
        (refresh_id,),
    ).fetchall()
    new = connection.execute(
        """select m.partition_key from pipeline.refresh_component
           join pipeline.manifest_entry m using (component_id)
           where refresh_id = %s and action = 'new' order by component_id""",
        (refresh_id,),
    ).fetchall()
    return Plan(
        refresh_id,
        chunks=tuple(chunk for chunk, _ in chunks),
        planned=sum(size for _, size in chunks),
        new=tuple(key for (key,) in new),
        removed=removed,
        held_removals=held,
    )
