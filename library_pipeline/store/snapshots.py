"""Refreshes as a watcher sees them: each whole, at a moment, those that wait for Dagster too."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, Literal, LiteralString

import psycopg
from psycopg.rows import dict_row

from library_pipeline.catalog.refresh import (
    AskedBy,
    Counts,
    RefreshKind,
    RefreshPhase,
    RefreshScope,
    RefreshState,
)
from library_pipeline.store.requests import OpenRequest, open_requests, why_it_waits

_READ: Final = """
select refresh_id, kind, state, phase, asked_by, scope, forced,
       planned, downloaded, embedded, stored,
       total, new, changed, removed, unchanged, failed, waiting, elsewhere, unreached,
       held_removals, components_per_second,
       extract(epoch from expected_at - now())::float8 as seconds_left,
       started_at, finished_at, case when finished_at is not null then duration_seconds end
           as duration_seconds,
       run_ids, error
from library.refresh
"""
_OF_IDS: Final = "where refresh_id = any(%(ids)s) order by started_at desc, refresh_id desc"
_OF_PAGE: Final = """
where %(before)s::text is null or (started_at, refresh_id) < (
    select started_at, id from pipeline.refresh where id = %(before)s)
order by started_at desc, refresh_id desc limit %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A refresh at a moment. One that is `waiting` is a request that Dagster has yet to take.

    `waits_for` says what it waits for, as a sentence. While it runs, `counts` are what is planned.
    """

    refresh_id: str
    kind: RefreshKind
    state: RefreshState | Literal["waiting"]
    phase: RefreshPhase | None
    asked_by: AskedBy
    scope: RefreshScope
    forced: bool
    planned: int
    downloaded: int
    embedded: int
    stored: int
    counts: Counts
    held_removals: int
    components_per_second: float | None
    seconds_left: float | None
    started_at: datetime
    finished_at: datetime | None
    duration_seconds: float | None
    run_ids: tuple[str, ...]
    error: str | None
    waits_for: str | None = None

    @property
    def unfinished(self) -> bool:
        """Whether there is anything left to watch, or to cancel."""
        return self.state in ("waiting", "planning", "running")


def snapshots(connection: psycopg.Connection, ids: Collection[str]) -> list[Snapshot]:
    """Return the refreshes and open requests with these `ids`, newest first."""
    # Requests first: one that is taken in between is a refresh by then.
    asked = open_requests(connection, ids)
    return _merged(asked, _read(connection, _READ + _OF_IDS, {"ids": list(ids)}))


def snapshot(connection: psycopg.Connection, refresh_id: str) -> Snapshot | None:
    """Return one refresh or open request, or None if there is none of that id."""
    return next(iter(snapshots(connection, [refresh_id])), None)


def newest_snapshots(
    connection: psycopg.Connection, limit: int, *, before: str | None = None
) -> list[Snapshot]:
    """Return `limit` refreshes, newest first, from the one started `before` that refresh on.

    Without `before` the open requests come with them, whatever the limit.
    """
    asked = [] if before else open_requests(connection)
    return _merged(asked, _read(connection, _READ + _OF_PAGE, {"before": before, "limit": limit}))


def unfinished_ids(connection: psycopg.Connection) -> list[str]:
    """Return the ids of the refreshes that wait, are planned or run."""
    rows = connection.execute(
        """select refresh_id from pipeline.refresh_request where closed_at is null
           union select id from pipeline.refresh where state in ('planning', 'running')"""
    )
    return [row[0] for row in rows]


def _merged(asked: Sequence[OpenRequest], begun: Sequence[Snapshot]) -> list[Snapshot]:
    known = {item.refresh_id for item in begun}
    waiting = [_waiting(each) for each in reversed(asked) if each.refresh_id not in known]
    return [*waiting, *begun]


def _waiting(asked: OpenRequest) -> Snapshot:
    request = asked.request
    return Snapshot(
        refresh_id=request.refresh_id,
        kind=request.kind,
        state="waiting",
        phase=None,
        asked_by=request.asked_by,
        scope=request.scope,
        forced=request.force,
        planned=0,
        downloaded=0,
        embedded=0,
        stored=0,
        counts=Counts(),
        held_removals=0,
        components_per_second=None,
        seconds_left=None,
        started_at=asked.asked_at,
        finished_at=None,
        duration_seconds=None,
        run_ids=(asked.run_id,) if asked.run_id else (),
        error=None,
        waits_for=why_it_waits(asked),
    )


def _read(
    connection: psycopg.Connection, query: LiteralString, terms: Mapping[str, object]
) -> list[Snapshot]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return [_snapshot(row) for row in cursor.execute(query, terms)]


def _snapshot(row: dict[str, Any]) -> Snapshot:
    counts = Counts(**{each.name: row.pop(each.name) for each in fields(Counts)})
    scope, runs = RefreshScope.of_json(row.pop("scope")), tuple(row.pop("run_ids"))
    return Snapshot(**row, counts=counts, scope=scope, run_ids=runs)
