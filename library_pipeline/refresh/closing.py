"""The end of a refresh: a second try of transient failures, cancellation, the final counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import psycopg

from library_pipeline.refresh.requests import settle

# Runs once, when all chunks are done. It moves transient failures from their chunks to one last
# chunk, so that each component is counted once.
_SECOND_TRY = """
with again as (
    select rc.component_id, rc.chunk from pipeline.refresh_component rc
    join pipeline.failure f on f.component_id = rc.component_id and f.refresh_id = rc.refresh_id
    where rc.refresh_id = %(id)s and rc.outcome = 'failed' and f.transient
), last as (
    insert into pipeline.refresh_chunk (refresh_id, chunk, size, second_try)
    select %(id)s, (select max(chunk) + 1 from pipeline.refresh_chunk where refresh_id = %(id)s),
           count(*), true
    from again having count(*) > 0
    returning chunk
), moved as (
    update pipeline.refresh_component rc set outcome = null, chunk = last.chunk
    from again, last
    where rc.refresh_id = %(id)s and rc.component_id = again.component_id
), counted as (
    update pipeline.refresh_chunk k set size = k.size - n.moved, failed = k.failed - n.moved
    from (select chunk, count(*) as moved from again group by chunk) n, last
    where k.refresh_id = %(id)s and k.chunk = n.chunk
)
update pipeline.refresh set second_try_at = now() from last where id = %(id)s
returning id
"""
# Outcomes are counted from the components' own rows.
_CLOSE = """
update pipeline.refresh r set finished_at = now(),
    checked_at = case when r.kind not in ('full', 'reembed')
                           and o.new + o.changed + o.failed + r.removed = 0 then now() end,
    state = case when %(stopped)s::text is not null then %(stopped)s
                 when o.unreached = 0 then 'finished'
                 when o.stopped_by_hand then 'cancelled' else 'failed' end,
    new = o.new, changed = o.changed, failed = r.failed + o.failed, unreached = o.unreached,
    unchanged = r.total - r.waiting - r.elsewhere - r.failed
                - o.new - o.changed - o.failed - o.unreached,
    error = case when %(error)s::text is not null then %(error)s
                 when o.unreached = 0 then null
                 when o.stopped_by_hand then format(
                     'it was cancelled; %%s components are left to the next refresh', o.unreached)
                 else format('%%s components were not reached: their runs died again and again; '
                             'the next refresh takes them up', o.unreached) end
from (select count(*) filter (where outcome = 'new') as new,
             count(*) filter (where outcome = 'changed') as changed,
             count(*) filter (where outcome = 'failed') as failed,
             count(*) filter (where outcome is null) as unreached,
             (select cancel_asked_at is not null from pipeline.refresh where id = %(id)s)
                 or exists (select from pipeline.refresh_chunk
                            where refresh_id = %(id)s and state = 'cancelled') as stopped_by_hand
      from pipeline.refresh_component where refresh_id = %(id)s) o
where r.id = %(id)s and r.state in ('planning', 'running')
  and (%(stopped)s::text is not null or not exists (
      select from pipeline.refresh_chunk k
      where k.refresh_id = r.id and k.state in ('pending', 'running')))
"""


def finish_if_done(connection: psycopg.Connection, refresh_id: str) -> bool:
    """Close the refresh if no chunk is left; return whether this call has closed it.

    Every run that finishes a chunk calls this. The first time that no chunk is left, transient
    failures get a second try in a new chunk instead.
    """
    with connection.transaction():
        row = connection.execute(
            """select cancel_asked_at is null and second_try_at is null from pipeline.refresh r
               where id = %(id)s and state = 'running' and not exists (
                   select from pipeline.refresh_chunk k
                   where k.refresh_id = r.id and k.state in ('pending', 'running'))
               for update""",
            {"id": refresh_id},
        ).fetchone()
        if row is None:
            return False
        if row[0] and connection.execute(_SECOND_TRY, {"id": refresh_id}).fetchone():
            return False
        terms = {"id": refresh_id, "stopped": None, "error": None}
        return connection.execute(_CLOSE, terms).rowcount > 0


def cancel_refresh(connection: psycopg.Connection, refresh_id: str) -> bool:
    """Ask the refresh to stop; return whether it was waiting, in planning or running.

    Pending chunks are closed at once. A running chunk stops at its next component.
    """
    # Dagster may take a request between the first two steps; then it is on record by the third.
    return (
        _stop(connection, refresh_id)
        or settle(connection, refresh_id, "cancelled", "it was cancelled before it was planned")
        or _stop(connection, refresh_id)
    )


def _stop(connection: psycopg.Connection, refresh_id: str) -> bool:
    asked = connection.execute(
        """update pipeline.refresh set cancel_asked_at = coalesce(cancel_asked_at, now())
           where id = %s and state in ('planning', 'running') returning id""",
        (refresh_id,),
    ).fetchone()
    if asked is None:
        return False
    connection.execute(
        """update pipeline.refresh_chunk set state = 'cancelled'
           where refresh_id = %s and state = 'pending'""",
        (refresh_id,),
    )
    finish_if_done(connection, refresh_id)
    return True


def unchecked_refreshes(connection: psycopg.Connection) -> list[str]:
    """Return the closed refreshes that still need a closing run, oldest first.

    Full refreshes need one, and so do all with changes or failures.
    """
    rows = connection.execute(
        """select id from pipeline.refresh
           where checked_at is null and state not in ('planning', 'running') order by started_at"""
    )
    return [row[0] for row in rows]


def refreshes_to_close(connection: psycopg.Connection, run_id: str) -> list[str]:
    """Return the refreshes that this closing run handles, oldest first.

    The first step of the run fixes them, so that all its steps agree. The next closing run handles
    a refresh that closes in between.
    """
    with connection.transaction():
        connection.execute(
            """insert into pipeline.refresh_run (refresh_id, run_id)
               select id, %(run)s from pipeline.refresh
               where id = any(%(unchecked)s) and not exists (
                   select from pipeline.refresh_run where run_id = %(run)s)
               on conflict do nothing""",
            {"run": run_id, "unchecked": unchecked_refreshes(connection)},
        )
        rows = connection.execute(
            """select id from pipeline.refresh join pipeline.refresh_run on refresh_id = id
               where run_id = %s order by pipeline.refresh.started_at""",
            (run_id,),
        )
        return [row[0] for row in rows]


def last_change(connection: psycopg.Connection) -> list[str]:
    """Return the id of the newest closed refresh that changed or failed at something, if any."""
    rows = connection.execute(
        """select id from pipeline.refresh
           where state not in ('planning', 'running') and new + changed + removed + failed > 0
           order by finished_at desc limit 1"""
    )
    return [row[0] for row in rows]


def worth_measuring(connection: psycopg.Connection, refresh_ids: Sequence[str]) -> bool:
    """Return whether these refreshes may have made the vector index find less than before.

    Measuring takes seconds. It pays after a full refresh, or once a hundredth of the library has
    changed.
    """
    row = connection.execute(
        """select bool_or(kind = 'full') or sum(new + changed) >= 0.01 * max(total)
           from pipeline.refresh where id = any(%s)""",
        (list(refresh_ids),),
    ).fetchone()
    return bool(row and row[0])


def count_closing_run(connection: psycopg.Connection, refresh_id: str) -> int:
    """Count one more closing run for the refresh; return how many there are."""
    row = connection.execute(
        """update pipeline.refresh set closing_runs = closing_runs + 1 where id = %s
           returning closing_runs""",
        (refresh_id,),
    ).fetchone()
    return row[0] if row else 0


def set_checked(connection: psycopg.Connection, refresh_ids: Sequence[str]) -> None:
    """Record that a closing run has handled these refreshes."""
    connection.execute(
        "update pipeline.refresh set checked_at = now() where id = any(%s)", (list(refresh_ids),)
    )


def cancellation_asked(connection: psycopg.Connection, refresh_id: str) -> bool:
    """Return whether the refresh has been asked to stop."""
    row = connection.execute(
        "select cancel_asked_at is not null from pipeline.refresh where id = %s", (refresh_id,)
    ).fetchone()
    return bool(row and row[0])


def stop_refresh(
    connection: psycopg.Connection,
    refresh_id: str,
    error: str,
    *,
    state: Literal["failed", "cancelled"] = "failed",
) -> None:
    """Close an unfinished refresh with a reason. Its stored components stay."""
    connection.execute(_CLOSE, {"id": refresh_id, "stopped": state, "error": error})
