"""The log of refreshes: the request, the progress and the result of each.

A request that Dagster has not taken yet is not on record; `waiting_refreshes` adds those.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any, Final, LiteralString

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from library_pipeline.catalog.errors import LibraryError
from library_pipeline.catalog.refresh import Counts, Refresh, RefreshRequest
from library_pipeline.database.connection import lease_is_free
from library_pipeline.refresh.outcomes import open_failures
from library_pipeline.refresh.requests import (
    close_request,
    open_requests,
    pop_request,
    why_it_waits,
)

_REFRESH: Final = """
select v.refresh_id, v.kind, v.asked_by, v.scope, v.forced as force, r.in_process,
       v.state, v.phase, v.planned, v.downloaded, v.embedded, v.stored,
       v.total, v.new, v.changed, v.removed, v.unchanged, v.failed, v.waiting, v.elsewhere,
       v.unreached, v.held_removals, r.unread_sources, v.run_ids, v.error,
       v.components_per_second, extract(epoch from v.expected_at - now())::float8 as seconds_left,
       v.started_at, v.finished_at, v.duration_seconds
from library.refresh v join pipeline.refresh r on r.id = v.refresh_id
"""
_OF_IDS: Final = """
where v.refresh_id = any(%(ids)s) order by v.started_at desc, v.refresh_id desc
"""
_PAGE: Final = """
where %(before)s::text is null or (v.started_at, v.refresh_id) < (
    select started_at, id from pipeline.refresh where id = %(before)s)
order by v.started_at desc, v.refresh_id desc limit %(limit)s
"""
_CLOSED: Final = """
where v.state not in ('planning', 'running') and (not %(moved)s or v.new + v.removed > 0)
order by v.started_at desc limit %(limit)s
"""
_LAST: Final = """
where v.refresh_id in (select distinct on (kind) id from pipeline.refresh
                       where finished_at is not null order by kind, finished_at desc)
order by v.kind
"""


@dataclass(frozen=True, slots=True)
class FailedPlans:
    """The newest refreshes that could not be planned, in a row; the last one's end and reason."""

    count: int
    last_at: datetime | None
    error: str | None


class RefreshExistsError(LibraryError):
    """A refresh of this id is on record already."""

    def __init__(self, refresh_id: str) -> None:
        super().__init__(
            "refresh.exists",
            f"refresh {refresh_id} is on record already; give each refresh a new id, or none",
        )


def new_refresh_id(now: datetime) -> str:
    """Return an id such as 20261121-101500-9f3a1c, which sorts by time."""
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def create_refresh(
    connection: psycopg.Connection, request: RefreshRequest, *, run_id: str | None = None
) -> None:
    """Record that the Dagster run `run_id` plans a refresh. Raises RefreshExistsError."""
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


def add_run(connection: psycopg.Connection, refresh_id: str, run_id: str) -> None:
    """Record a Dagster run as one of the refresh's: it plans it, does a chunk or closes it."""
    connection.execute(
        """insert into pipeline.refresh_run (refresh_id, run_id) values (%s, %s)
           on conflict do nothing""",
        (refresh_id, run_id),
    )


def runs_of(connection: psycopg.Connection, refresh_id: str) -> list[str]:
    """Return the ids of the refresh's Dagster runs, oldest first."""
    rows = connection.execute(
        "select run_id from pipeline.refresh_run where refresh_id = %s order by started_at",
        (refresh_id,),
    )
    return [row[0] for row in rows]


def record_unread(connection: psycopg.Connection, refresh_id: str, sources: Sequence[str]) -> None:
    """Record which sources the refresh could not read."""
    connection.execute(
        "update pipeline.refresh set unread_sources = %s where id = %s", (list(sources), refresh_id)
    )


def leave_to_sensors(connection: psycopg.Connection, refresh_id: str) -> None:
    """Let sensors start the refresh's chunks from now on, also again those whose runs die."""
    connection.execute(
        "update pipeline.refresh set in_process = false where id = %s", (refresh_id,)
    )


def is_forced(connection: psycopg.Connection, refresh_id: str) -> bool:
    """Return whether the refresh downloads and embeds everything again."""
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
    """Return how many of the newest refreshes, in a row, could not be planned.

    Reembeds need no CMS and are counted apart. A refresh that names components may fail because of
    their names alone, so it does not count.
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


def read_refresh(connection: psycopg.Connection, refresh_id: str) -> Refresh | None:
    """Return the refresh on record, without its failures; None if there is none of this id."""
    return next(iter(_read_refreshes(connection, _REFRESH + _OF_IDS, {"ids": [refresh_id]})), None)


def read_result(connection: psycopg.Connection, refresh_id: str) -> Refresh:
    """Return the refresh on record with its failures. Raises KeyError for an unknown id."""
    refresh = read_refresh(connection, refresh_id)
    if refresh is None:
        raise KeyError(refresh_id)
    return with_failures(connection, refresh)


def with_failures(connection: psycopg.Connection, refresh: Refresh) -> Refresh:
    """Return the refresh with its open failures."""
    failures = open_failures(connection, refresh_id=refresh.refresh_id, limit=None)
    return replace(refresh, failures=tuple(failures))


def recent_refreshes(
    connection: psycopg.Connection, limit: int = 10, *, before: str | None = None
) -> list[Refresh]:
    """Return at most `limit` refreshes on record, newest first, older than `before` if given."""
    return _read_refreshes(connection, _REFRESH + _PAGE, {"before": before, "limit": limit})


def closed_refreshes(
    connection: psycopg.Connection, *, limit: int, moved: bool = False
) -> list[Refresh]:
    """Return the newest closed refreshes, oldest first.

    With `moved`, only those that added or removed components.
    """
    terms = {"limit": limit, "moved": moved}
    return _read_refreshes(connection, _REFRESH + _CLOSED, terms)[::-1]


def last_refreshes(connection: psycopg.Connection) -> list[Refresh]:
    """Return the refresh of each kind that ended last, by kind."""
    return _read_refreshes(connection, _REFRESH + _LAST, {})


def waiting_refreshes(
    connection: psycopg.Connection, ids: Collection[str] | None = None
) -> list[Refresh]:
    """Return the open requests as refreshes, newest first; only those among `ids`, if given."""
    return [
        Refresh(
            each.request,
            "waiting",
            each.asked_at,
            each.waited_seconds,
            run_ids=(each.run_id,) if each.run_id else (),
            waits_for=why_it_waits(each),
        )
        for each in reversed(open_requests(connection, ids))
    ]


def find_refreshes(connection: psycopg.Connection, ids: Collection[str]) -> list[Refresh]:
    """Return the refreshes and open requests with these ids, newest first."""
    # Requests first: a request that is taken between the two reads is on record by the second.
    waiting = waiting_refreshes(connection, ids)
    begun = _read_refreshes(connection, _REFRESH + _OF_IDS, {"ids": list(ids)})
    return _merged(waiting, begun)


def find_refresh(connection: psycopg.Connection, refresh_id: str) -> Refresh | None:
    """Return the refresh or open request of this id, None if there is none."""
    return next(iter(find_refreshes(connection, [refresh_id])), None)


def newest_refreshes(
    connection: psycopg.Connection, limit: int, *, before: str | None = None
) -> list[Refresh]:
    """Return at most `limit` refreshes, newest first, older than `before` if given.

    Without `before`, all open requests come first; they do not count towards `limit`.
    """
    waiting = [] if before else waiting_refreshes(connection)
    return _merged(waiting, recent_refreshes(connection, limit, before=before))


def unfinished_ids(connection: psycopg.Connection) -> list[str]:
    """Return the ids of the refreshes that wait, are being planned or run."""
    rows = connection.execute(
        """select refresh_id from pipeline.refresh_request where closed_at is null
           union select id from pipeline.refresh where state in ('planning', 'running')"""
    )
    return [row[0] for row in rows]


def _merged(waiting: Sequence[Refresh], begun: Sequence[Refresh]) -> list[Refresh]:
    known = {refresh.refresh_id for refresh in begun}
    return [*(each for each in waiting if each.refresh_id not in known), *begun]


def _read_refreshes(
    connection: psycopg.Connection, query: LiteralString, terms: Mapping[str, object]
) -> list[Refresh]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return [_refresh_of_row(row) for row in cursor.execute(query, terms)]


def _refresh_of_row(row: dict[str, Any]) -> Refresh:
    row["run_ids"], row["unread_sources"] = tuple(row["run_ids"]), tuple(row["unread_sources"])
    request = pop_request(row)
    counts = Counts(**{each.name: row.pop(each.name) for each in fields(Counts)})
    return Refresh(request, counts=counts, **row)
