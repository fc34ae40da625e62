"""Refreshes over HTTP: asking for them, reading where they are, stopping them, trying again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from library_pipeline.store.failures import failures_of, open_failures
from library_pipeline.store.requests import sensor_is_alive
from library_pipeline.store.snapshots import Snapshot, newest_snapshots
from library_pipeline.web.api import refusals
from library_pipeline.web.asking import (
    MAX_ONLY,
    InRefreshing,
    Refreshing,
    Text,
    Wanted,
    ask_for,
    cancel,
    found,
    retry_of,
)
from library_pipeline.web.links import refresh_url
from library_pipeline.web.refresh_states import (
    FailureState,
    RefreshDetails,
    RefreshState,
    failure_state,
    refresh_details,
    refresh_state,
)

MAX_FAILURES = 1000

router = APIRouter(prefix="/api", tags=["refreshes"])
_REFUSALS = refusals(400, 403, 404, 409, 503)


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Accepted(_Answer):
    """The refresh is on record and begins as soon as Dagster takes it; `url` says how it goes."""

    refresh_id: str
    url: str
    events_url: str
    page_url: str


class RefreshList(_Answer):
    """Refreshes, newest first, and where the older ones are.

    Whether `daemon_runs`: Dagster's daemon has lately looked for what was asked for.
    """

    refreshes: tuple[RefreshState, ...]
    next: str | None
    daemon_runs: bool


class FailureList(_Answer):
    """The failures that stand, by component id, and where the next ones are."""

    failures: tuple[FailureState, ...]
    next: str | None


class Chosen(_Answer):
    """Failed components to be tried again; without `only`, all of them."""

    only: tuple[Text, ...] = Field(default=(), max_length=MAX_ONLY)


@router.post("/refreshes", status_code=202, responses={**_REFUSALS})
def start(wanted: Wanted, refreshing: InRefreshing, response: Response) -> Accepted:
    """Ask for a refresh; it gets the id that is returned. A sensor of Dagster starts it."""
    return _accepted(ask_for(refreshing, wanted), response)


@router.get("/refreshes", responses={**_REFUSALS})
def newest(
    refreshing: InRefreshing,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
    before: Annotated[Text | None, Query()] = None,
) -> RefreshList:
    """Return refreshes, newest first; on the first page those too that wait for Dagster."""
    with refreshing.database.connect() as connection:
        items = newest_snapshots(connection, limit, before=before)
        daemon = sensor_is_alive(connection)
    more = older_than(items, limit)
    states = tuple(refresh_state(item, refreshing.dagster) for item in items)
    return RefreshList(refreshes=states, next=more and f"/api{more}", daemon_runs=daemon)


@router.post("/failures/retry", status_code=202, responses={**_REFUSALS})
def retry_chosen(chosen: Chosen, refreshing: InRefreshing, response: Response) -> Accepted:
    """Ask for another try of chosen failures, or of all."""
    return _accepted(ask_for(refreshing, Wanted(kind="retry", only=chosen.only)), response)


@router.get("/failures", responses={**_REFUSALS})
def failures(
    refreshing: InRefreshing,
    limit: Annotated[int, Query(ge=1, le=MAX_FAILURES)] = 100,
    after: Annotated[Text | None, Query()] = None,
) -> FailureList:
    """Return the failures that stand, by component id."""
    with refreshing.database.connect() as connection:
        items = open_failures(connection, limit=limit, after=after or "")
    more = None
    if len(items) == limit:
        more = "/api/failures?" + urlencode({"limit": limit, "after": items[-1].component_id})
    return FailureList(failures=tuple(map(failure_state, items)), next=more)


@router.post(
    "/refreshes/{refresh_id:path}/cancel",
    status_code=202,
    responses={**_REFUSALS},
)
def stop(refresh_id: str, refreshing: InRefreshing) -> RefreshState:
    """Ask a refresh to stop after what is under way; one that waits is never begun."""
    return refresh_state(cancel(refreshing, refresh_id), refreshing.dagster)


@router.post(
    "/refreshes/{refresh_id:path}/retry",
    status_code=202,
    responses={**_REFUSALS},
)
def retry(refresh_id: str, refreshing: InRefreshing, response: Response) -> Accepted:
    """Ask for another try of what failed in this refresh and has not been put right since."""
    return _accepted(retry_of(refreshing, refresh_id), response)


@router.get("/refreshes/{refresh_id:path}", responses={**_REFUSALS})
def one(refresh_id: str, refreshing: InRefreshing) -> RefreshDetails:
    """Return one refresh with its failures."""
    return details_of(refreshing, refresh_id)


def details_of(refreshing: Refreshing, refresh_id: str) -> RefreshDetails:
    """Return one refresh with its failures. Raises QuestionError if there is none of that id."""
    item = found(refreshing, refresh_id)
    with refreshing.database.connect() as connection:
        failed = failures_of(connection, refresh_id, limit=MAX_FAILURES)
    return refresh_details(item, failed, refreshing.dagster)


def older_than(items: Sequence[Snapshot], limit: int) -> str | None:
    """Return the address, behind /api or as a page, of what comes after `items`, if anything."""
    begun = [item for item in items if item.state != "waiting"]
    if len(begun) < limit:
        return None
    return "/refreshes?" + urlencode({"limit": limit, "before": begun[-1].refresh_id})


def _accepted(refresh_id: str, response: Response) -> Accepted:
    page = refresh_url(refresh_id)
    response.headers["Location"] = f"/api{page}"
    return Accepted(
        refresh_id=refresh_id,
        url=f"/api{page}",
        events_url=f"/api{page}/events",
        page_url=page,
    )
