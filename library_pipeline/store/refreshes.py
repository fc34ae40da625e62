"""The log of refreshes: what was asked, how far it is, what came of it."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

import psycopg
from psycopg.types.json import Jsonb

from library_pipeline.catalog.refresh import (
    AskedBy,
    Counts,
    Progress,
    RefreshKind,
    RefreshResult,
    RefreshScope,
)
from library_pipeline.store.chunks import lease_is_free
from library_pipeline.store.failures import failures_of

# Outcomes are counted once, at the end, from the rows themselves; a chunk that was given up
# leaves components without an outcome, and they count as failed.
_FINISH = """
update pipeline.refresh r set state = 'finished', finished_at = now(),
    new = o.new, changed = o.changed, failed = r.failed + o.failed,
    unchanged = r.total - r.waiting - r.failed - o.new - o.changed - o.failed, error = o.error
from (select count(*) filter (where outcome = 'new') as new,
             count(*) filter (where outcome = 'changed') as changed,
             count(*) filter (where outcome = 'failed' or outcome is null) as failed,
             case when count(*) filter (where outcome is null) > 0 then
                 format('%%s components were not reached: their runs died again and again',
                        count(*) filter (where outcome is null)) end as error
      from pipeline.refresh_component where refresh_id = %(id)s) o
where r.id = %(id)s and r.state = 'running' and not exists (
    select from pipeline.refresh_chunk c
    where c.refresh_id = r.id and c.state in ('pending', 'running'))
returning r.id
"""
_PROGRESS = """
select r.id, r.kind, r.state, coalesce(sum(c.size), 0)::int, coalesce(sum(c.downloaded), 0)::int,
       coalesce(sum(c.embedded), 0)::int, coalesce(sum(c.stored), 0)::int,
       coalesce(sum(c.failed), 0)::int, r.started_at, r.finished_at
from pipeline.refresh r left join pipeline.refresh_chunk c on c.refresh_id = r.id
"""


def create_refresh(
    connection: psycopg.Connection,
    *,
    kind: RefreshKind,
    scope: RefreshScope,
    asked_by: AskedBy,
    in_process: bool,
    refresh_id: str | None = None,
) -> str:
    """Record that a refresh is being planned; return its id, which sorts by time."""
    refresh_id = refresh_id or new_refresh_id(datetime.now(UTC))
    narrowed = {"client": scope.client, "limit": scope.limit, "only": list(scope.only)}
    connection.execute(
        """insert into pipeline.refresh (id, kind, state, asked_by, in_process, scope)
           values (%s, %s, 'planning', %s, %s, %s)""",
        (refresh_id, kind, asked_by, in_process, Jsonb(narrowed)),
    )
    return refresh_id


def new_refresh_id(now: datetime) -> str:
    """Return an id such as 20261121-101500-9f3a1c."""
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def set_planning_run(connection: psycopg.Connection, refresh_id: str, run_id: str) -> None:
    """Remember which Dagster run planned the refresh."""
    connection.execute(
        "update pipeline.refresh set run_id = %s where id = %s", (run_id, refresh_id)
    )


def leave_to_sensors(connection: psycopg.Connection, refresh_id: str) -> None:
    """Let sensors start the refresh's chunks from now on, those too whose runs die."""
    connection.execute(
        "update pipeline.refresh set in_process = false where id = %s", (refresh_id,)
    )


def finish_if_done(connection: psycopg.Connection, refresh_id: str) -> bool:
    """Close the refresh if no chunk is left; whoever finishes the last one calls this."""
    return connection.execute(_FINISH, {"id": refresh_id}).fetchone() is not None


def fail_refresh(connection: psycopg.Connection, refresh_id: str, error: str) -> None:
    """Close the refresh as failed; what it has stored stays stored."""
    connection.execute(
        """update pipeline.refresh set state = 'failed', error = %s, finished_at = now()
           where id = %s and state in ('planning', 'running')""",
        (error, refresh_id),
    )


def fail_orphans(connection: psycopg.Connection) -> list[str]:
    """Close refreshes whose planner or in-process worker is gone; the next one does their rest."""
    rows = connection.execute(
        """select id from pipeline.refresh
           where state = 'planning' or (state = 'running' and in_process)"""
    ).fetchall()
    gone = [refresh_id for (refresh_id,) in rows if lease_is_free(connection, refresh_id)]
    for refresh_id in gone:
        fail_refresh(
            connection,
            refresh_id,
            "its process ended before it did; what it had not reached is left to the next refresh",
        )
    return gone


def unfinished_refreshes(connection: psycopg.Connection) -> list[str]:
    """Return the ids of refreshes that are being planned or run, oldest first."""
    rows = connection.execute(
        """select id from pipeline.refresh where state in ('planning', 'running')
           order by started_at"""
    )
    return [row[0] for row in rows]


def progress(connection: psycopg.Connection, refresh_id: str) -> Progress | None:
    """Return how far the refresh is, or None if there is none of that id."""
    row = connection.execute(_PROGRESS + "where r.id = %s group by r.id", (refresh_id,)).fetchone()
    return Progress(*row) if row else None


def recent(connection: psycopg.Connection, limit: int = 10) -> list[Progress]:
    """Return the newest refreshes, newest first."""
    rows = connection.execute(
        _PROGRESS + "group by r.id order by r.started_at desc limit %s", (limit,)
    )
    return [Progress(*row) for row in rows]


def result(connection: psycopg.Connection, refresh_id: str) -> RefreshResult:
    """Return what the refresh did. Raises KeyError if there is none of that id."""
    row = connection.execute(
        """select kind, state, total, new, changed, removed, unchanged, failed, waiting,
                  extract(epoch from coalesce(finished_at, now()) - started_at)::float8,
                  held_removals, error
           from pipeline.refresh where id = %s""",
        (refresh_id,),
    ).fetchone()
    if row is None:
        raise KeyError(refresh_id)
    kind, state, *counts, duration, held, error = row
    return RefreshResult(
        refresh_id,
        kind,
        state,
        Counts(*counts),
        duration,
        tuple(failures_of(connection, refresh_id)),
        held,
        error,
    )
