"""The log of refreshes: what was asked, how far it is, what came of it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import psycopg
from psycopg.types.json import Jsonb

from library_pipeline.catalog.errors import LibraryError
from library_pipeline.catalog.refresh import Counts, Progress, RefreshRequest, RefreshResult
from library_pipeline.store.failures import failures_of
from library_pipeline.store.leases import lease_is_free
from library_pipeline.store.requests import close_request
from library_pipeline.store.runs import add_run

_PROGRESS = """
select refresh_id, kind, state, phase, planned, downloaded, embedded, stored, failed,
       components_per_second, started_at,
       extract(epoch from expected_at - now())::float8, finished_at
from library.refresh
"""
_RESULT = """
select kind, state, total, new, changed, removed, unchanged, failed, waiting, elsewhere, unreached,
       duration_seconds, run_ids, held_removals, error,
       (select unread_sources from pipeline.refresh where id = refresh_id)
from library.refresh where refresh_id = %s
"""


@dataclass(frozen=True, slots=True)
class FailedPlans:
    """Refreshes that could not be planned, one after the other; the newest one's end and reason."""

    count: int
    last_at: datetime | None
    error: str | None


class RefreshExistsError(LibraryError):
    """A refresh of that id is on record already."""

    def __init__(self, refresh_id: str) -> None:
        super().__init__(
            "refresh.exists",
            f"refresh {refresh_id} is on record already; give each refresh an id of its own, "
            "or none",
        )


def new_refresh_id(now: datetime) -> str:
    """Return an id such as 20261121-101500-9f3a1c, which sorts by time."""
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def create_refresh(
    connection: psycopg.Connection, request: RefreshRequest, *, run_id: str | None = None
) -> None:
    """Record that a refresh is being planned, by which Dagster run. Raises RefreshExistsError."""
    try:
        with connection.transaction():
            connection.execute(
                """insert into pipeline.refresh
                       (id, kind, state, asked_by, in_process, scope, forced)
                   values (%s, %s, 'planning', %s, %s, %s, %s)""",
                (
                    request.refresh_id,
                    request.kind,
                    request.asked_by,
                    request.in_process,
                    Jsonb(asdict(request.scope)),
                    request.force,
                ),
            )
            close_request(connection, request.refresh_id, run_id)
            if run_id:
                add_run(connection, request.refresh_id, run_id)
    except psycopg.errors.UniqueViolation:
        raise RefreshExistsError(request.refresh_id) from None


def record_unread(connection: psycopg.Connection, refresh_id: str, sources: Sequence[str]) -> None:
    """Record which sources could not be read for the refresh."""
    connection.execute(
        "update pipeline.refresh set unread_sources = %s where id = %s", (list(sources), refresh_id)
    )


def leave_to_sensors(connection: psycopg.Connection, refresh_id: str) -> None:
    """Let sensors start the refresh's chunks from now on, those too whose runs die."""
    connection.execute(
        "update pipeline.refresh set in_process = false where id = %s", (refresh_id,)
    )


def is_forced(connection: psycopg.Connection, refresh_id: str) -> bool:
    """Whether the refresh downloads and embeds again whatever is there."""
    row = connection.execute(
        "select forced from pipeline.refresh where id = %s", (refresh_id,)
    ).fetchone()
    return bool(row and row[0])


def orphans(connection: psycopg.Connection) -> list[str]:
    """Return the refreshes whose planner or in-process worker is gone."""
    rows = connection.execute(
        """select id from pipeline.refresh
           where state = 'planning' or (state = 'running' and in_process)"""
    ).fetchall()
    return [refresh_id for (refresh_id,) in rows if lease_is_free(connection, refresh_id)]


def failed_plans(connection: psycopg.Connection, *, reembeds: bool = False) -> FailedPlans:
    """Return how many refreshes in a row could not be planned, the newest ones.

    Reembeds, which need no CMS, are counted apart; a refresh that names components may fail for
    their names alone, and does not count.
    """
    row = connection.execute(
        """with planned as (
               select started_at from pipeline.refresh where state <> 'planning'
                 and (kind = 'reembed') = %(reembeds)s
                 and not (state = 'failed' and total = 0) order by started_at desc limit 1)
           select count(*), max(finished_at), (array_agg(error order by started_at desc))[1]
           from pipeline.refresh where state = 'failed'
             and (kind = 'reembed') = %(reembeds)s and coalesce(scope -> 'only', '[]') = '[]'
             and started_at > coalesce((select started_at from planned), '-infinity')""",
        {"reembeds": reembeds},
    ).fetchone()
    return FailedPlans(*row) if row else FailedPlans(0, None, None)


def progress(connection: psycopg.Connection, refresh_id: str) -> Progress | None:
    """Return how far the refresh is, or None if there is none of that id."""
    row = connection.execute(_PROGRESS + "where refresh_id = %s", (refresh_id,)).fetchone()
    return Progress(*row) if row else None


def recent(connection: psycopg.Connection, limit: int = 10) -> list[Progress]:
    """Return the newest refreshes, newest first."""
    rows = connection.execute(_PROGRESS + "order by started_at desc limit %s", (limit,))
    return [Progress(*row) for row in rows]


def result(connection: psycopg.Connection, refresh_id: str) -> RefreshResult:
    """Return what the refresh did. Raises KeyError if there is none of that id."""
    row = connection.execute(_RESULT, (refresh_id,)).fetchone()
    if row is None:
        raise KeyError(refresh_id)
    kind, state, *counts, duration, runs, held, error, unread = row
    return RefreshResult(
        refresh_id,
        kind,
        state,
        Counts(*counts),
        duration,
        tuple(runs),
        tuple(failures_of(connection, refresh_id)),
        held,
        error,
        tuple(unread),
    )
