"""Requests for refreshes, which wait until a Dagster run takes them and its plan closes them.

A request is open until a refresh of its id is on record. If the run dies before that, the request
stays open and gets another run, at most `MAX_ATTEMPTS` in all; then the refresh is on record as
failed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Literal

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from library_pipeline.catalog.errors import LibraryError
from library_pipeline.catalog.refresh import RefreshRequest, RefreshScope

MAX_ATTEMPTS = 3
MAX_OPEN = 100
PATIENCE_SECONDS = 30
DAEMON_NEEDED = (
    "Dagster's daemon does not look for requests: dagster-daemon must run, with its sensor "
    "refresh_requests switched on (`library-pipeline dev` runs everything)"
)

_OPEN = """
select refresh_id, kind, asked_by, scope, forced as force, false as in_process, asked_at, attempt,
       run_id, problem, extract(epoch from now() - asked_at)::float8 as waited_seconds
from pipeline.refresh_request
where closed_at is null and (%(ids)s::text[] is null or refresh_id = any(%(ids)s))
order by asked_at, refresh_id
"""
_SETTLE = """
with closed as (
    update pipeline.refresh_request set closed_at = now()
    where refresh_id = %(id)s and closed_at is null
      and (%(attempt)s::integer is null or attempt = %(attempt)s)
    returning refresh_id, kind, asked_by, scope, forced, asked_at, run_id
), settled as (
    insert into pipeline.refresh (id, kind, state, asked_by, in_process, scope, forced, error,
                                  started_at, finished_at, checked_at)
    select refresh_id, kind, %(state)s, asked_by, false, scope, forced, %(error)s,
           asked_at, now(), now() from closed
    returning id
), ran as (
    insert into pipeline.refresh_run (refresh_id, run_id)
    select id, run_id from settled join closed on refresh_id = id where run_id is not null
)
select id from settled
"""
_PLAN_AGAIN = """
with again as (
    update pipeline.refresh_request q
    set closed_at = null, attempt = attempt + 1, run_id = null, taken_at = null,
        problem = %(problem)s
    from pipeline.refresh r
    where q.refresh_id = %(id)s and r.id = q.refresh_id and r.state = 'planning'
      and r.cancel_asked_at is null and q.attempt < %(max)s
    returning q.refresh_id
)
delete from pipeline.refresh r using again where r.id = again.refresh_id returning r.id
"""


class SameRequestError(LibraryError):
    """An open request asks for the same refresh already."""

    def __init__(self, refresh_id: str) -> None:
        super().__init__(
            "refresh.requested_already",
            f"refresh {refresh_id} is the same and waits for Dagster already: follow that one, or "
            "cancel it first",
        )
        self.refresh_id = refresh_id


class TooManyRequestsError(LibraryError):
    """`MAX_OPEN` requests are open, so no more are accepted."""

    def __init__(self) -> None:
        super().__init__(
            "refresh.too_many_requests",
            f"{MAX_OPEN} requests wait for Dagster already; cancel some, or let Dagster take them "
            "first",
        )


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A request that waits for Dagster.

    `run_id` is the Dagster run that has taken it. `problem` says why the attempt before ended.
    """

    request: RefreshRequest
    asked_at: datetime
    attempt: int
    run_id: str | None
    problem: str | None
    waited_seconds: float

    @property
    def refresh_id(self) -> str:
        """The id that the refresh will have."""
        return self.request.refresh_id


def ask(connection: psycopg.Connection, request: RefreshRequest) -> None:
    """Record a request. Raises SameRequestError and TooManyRequestsError."""
    terms = {
        "id": request.refresh_id,
        "kind": request.kind,
        "scope": Jsonb(asdict(request.scope)),
        "forced": request.force,
        "by": request.asked_by,
    }
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtext('pipeline.refresh_request'))")
        same = connection.execute(
            """select refresh_id from pipeline.refresh_request
               where closed_at is null and kind = %(kind)s and forced = %(forced)s
                 and scope = %(scope)s""",
            terms,
        ).fetchone()
        if same:
            raise SameRequestError(same[0])
        waiting = connection.execute(
            "select count(*) from pipeline.refresh_request where closed_at is null"
        ).fetchone()
        if waiting and waiting[0] >= MAX_OPEN:
            raise TooManyRequestsError
        connection.execute(
            """insert into pipeline.refresh_request (refresh_id, kind, scope, forced, asked_by)
               values (%(id)s, %(kind)s, %(scope)s, %(forced)s, %(by)s)""",
            terms,
        )


def open_requests(
    connection: psycopg.Connection, ids: Collection[str] | None = None
) -> list[OpenRequest]:
    """Return the open requests, oldest first; only those among `ids`, if given."""
    terms = {"ids": None if ids is None else list(ids)}
    with connection.cursor(row_factory=dict_row) as cursor:
        return [OpenRequest(pop_request(row), **row) for row in cursor.execute(_OPEN, terms)]


def pop_request(row: dict[str, Any]) -> RefreshRequest:
    """Take the columns of a request out of `row`, and return the request."""
    row["scope"] = RefreshScope.of_json(row["scope"])
    return RefreshRequest(**{each.name: row.pop(each.name) for each in fields(RefreshRequest)})


def note_run(connection: psycopg.Connection, request: OpenRequest, run_id: str) -> None:
    """Record which Dagster run has taken the request."""
    connection.execute(
        """update pipeline.refresh_request set run_id = %s, taken_at = now()
           where refresh_id = %s and attempt = %s and closed_at is null
             and run_id is distinct from %s""",
        (run_id, request.refresh_id, request.attempt, run_id),
    )


def give_up_attempt(connection: psycopg.Connection, request: OpenRequest, problem: str) -> None:
    """Open the request for another attempt; after the last one, record its refresh as failed.

    Does nothing if the refresh is on record by now.
    """
    if request.attempt < MAX_ATTEMPTS:
        connection.execute(
            """update pipeline.refresh_request
               set attempt = attempt + 1, run_id = null, taken_at = null, problem = %s
               where refresh_id = %s and attempt = %s and closed_at is null""",
            (problem, request.refresh_id, request.attempt),
        )
        return
    settle(
        connection,
        request.refresh_id,
        "failed",
        f"{request.attempt} Dagster runs ended before they had planned it; the last: {problem}",
        attempt=request.attempt,
    )


def settle(
    connection: psycopg.Connection,
    refresh_id: str,
    state: Literal["failed", "cancelled"],
    error: str,
    *,
    attempt: int | None = None,
) -> bool:
    """Close a request and record its refresh as ended; return whether it was open until now."""
    terms = {"id": refresh_id, "state": state, "error": error, "attempt": attempt}
    return connection.execute(_SETTLE, terms).fetchone() is not None


def close_request(connection: psycopg.Connection, refresh_id: str, run_id: str | None) -> None:
    """Close the request of a refresh, in the transaction that puts the refresh on record."""
    connection.execute(
        """update pipeline.refresh_request
           set closed_at = now(), run_id = coalesce(%(run)s, run_id),
               taken_at = coalesce(taken_at, now())
           where refresh_id = %(id)s and closed_at is null""",
        {"id": refresh_id, "run": run_id},
    )


def plan_again(connection: psycopg.Connection, refresh_id: str, problem: str) -> bool:
    """Open the request of a refresh whose planner has died; return whether it is planned again.

    A plan is one transaction, so a refresh in planning has stored nothing yet. If another open
    request asks for the same meanwhile, this one stays closed.
    """
    terms = {"id": refresh_id, "problem": problem, "max": MAX_ATTEMPTS}
    try:
        return connection.execute(_PLAN_AGAIN, terms).fetchone() is not None
    except psycopg.errors.UniqueViolation:
        return False


def note_sensor(connection: psycopg.Connection) -> None:
    """Record that Dagster's daemon looks for requests now."""
    connection.execute(
        """insert into pipeline.request_sensor as s (seen_at) values (now())
           on conflict (only_row) do update set seen_at = now()
           where s.seen_at < now() - interval '10 seconds'"""
    )


def sensor_is_alive(connection: psycopg.Connection) -> bool:
    """Return whether Dagster's daemon has looked for requests in the last `PATIENCE_SECONDS`."""
    row = connection.execute(
        "select seen_at > now() - %s * interval '1 second' from pipeline.request_sensor",
        (PATIENCE_SECONDS,),
    ).fetchone()
    return bool(row and row[0])


def why_it_waits(request: OpenRequest) -> str:
    """Return the reason, as a sentence, why an open request waits."""
    again = ""
    if request.problem:
        again = f"attempt {request.attempt} of {MAX_ATTEMPTS}, as the one before ended early: "
        again += f"{request.problem}; "
    if request.run_id:
        return f"{again}its Dagster run is starting, or waits for its turn"
    if request.waited_seconds < PATIENCE_SECONDS or request.attempt > 1:
        return f"{again}Dagster's daemon takes it when it looks next, every 5 seconds"
    return f"no run has taken it for {request.waited_seconds:.0f} seconds. {DAEMON_NEEDED}"
