"""Removals: components that left the CMS leave search, a large removal only after approval."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import psycopg

_ABSENT = """
create temp table absent on commit drop as
select c.component_id, c.source, h.approved_at is not null as approved
from pipeline.component c left join pipeline.removal_hold h using (component_id)
where c.removed_at is null
  and not exists (select from pipeline.manifest_entry m where m.component_id = c.component_id)
  and not exists (select from pipeline.manifest n where n.name = c.source and n.unidentified > 0)
"""
_FORGET_HOLDS = """
delete from pipeline.removal_hold h
where not exists (select from absent a where a.component_id = h.component_id)
"""
_HOLD = """
insert into pipeline.removal_hold (component_id, refresh_id)
select component_id, %s from absent where not approved order by component_id
on conflict (component_id) do nothing
"""
_REMOVE = """
with gone as (
    update pipeline.component c set removed_at = now() from absent a
    where a.component_id = c.component_id and (a.approved or %(all)s)
    returning c.component_id, c.partition_key
), released as (
    delete from pipeline.removal_hold h using gone where h.component_id = gone.component_id
)
select partition_key from gone order by partition_key
"""
# The failure of a component that is no longer listed has no meaning.
_FORGET_FAILURES = """
delete from pipeline.failure f
where not exists (select from pipeline.manifest_entry m where m.component_id = f.component_id)
"""


@dataclass(frozen=True, slots=True)
class HeldRemovals:
    """Components that left the CMS and wait for approval; `examples` are the first ids."""

    count: int
    indexed: int
    since: datetime | None
    examples: tuple[str, ...]


def remove_absent(
    connection: psycopg.Connection, refresh_id: str, max_removed_share: float
) -> tuple[tuple[str, ...], int]:
    """Take components that the manifest lacks out of the index, in the caller's transaction.

    Returns the partition keys of the removed components, and the number of held removals. All
    unapproved removals are held if they exceed `max_removed_share` of the indexed components, or if
    a source lists nothing any more. A source whose manifest has unidentified entries removes
    nothing, because each of those entries may be any component.
    """
    if connection.execute("select from pipeline.manifest limit 1").fetchone() is None:
        return (), 0
    connection.execute(_ABSENT)
    connection.execute(_FORGET_HOLDS)
    unapproved, indexed, of_nothing = connection.execute(
        """select (select count(*) from absent where not approved),
                  (select count(*) from pipeline.component where removed_at is null),
                  exists (select from absent a where not a.approved and not exists
                     (select from pipeline.manifest_entry m where m.source = a.source))"""
    ).fetchone() or (0, 0, False)
    held = unapproved > max_removed_share * indexed or of_nothing
    if held:
        connection.execute(_HOLD, (refresh_id,))
    keys = tuple(row[0] for row in connection.execute(_REMOVE, {"all": not held}))
    connection.execute(_FORGET_FAILURES)
    return keys, unapproved if held else 0


def held_removals(connection: psycopg.Connection, *, examples: int = 10) -> HeldRemovals:
    """Return the removals that wait for approval."""
    row = connection.execute(
        """select (select count(*) from pipeline.removal_hold where approved_at is null),
                  (select count(*) from pipeline.component where removed_at is null),
                  (select min(held_since) from pipeline.removal_hold where approved_at is null),
                  array(select component_id from pipeline.removal_hold where approved_at is null
                        order by component_id limit %s)""",
        (examples,),
    ).fetchone()
    count, indexed, since, ids = row or (0, 0, None, [])
    return HeldRemovals(count, indexed, since, tuple(ids))


def approve_removals(connection: psycopg.Connection) -> int:
    """Approve all removals held now, for the next plan to carry out; return their number.

    A component that leaves the CMS later needs its own approval. One that returns is not removed.
    """
    return connection.execute(
        "update pipeline.removal_hold set approved_at = now() where approved_at is null"
    ).rowcount
