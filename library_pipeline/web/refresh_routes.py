"""Routes of refreshes: the JSON API, and the pages, whose forms work without script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal
from urllib.parse import urlencode

import psycopg
from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from library_pipeline.catalog.errors import Failure
from library_pipeline.catalog.refresh import Refresh
from library_pipeline.refresh.log import newest_refreshes
from library_pipeline.refresh.outcomes import open_failures
from library_pipeline.refresh.requests import DAEMON_NEEDED, sensor_is_alive
from library_pipeline.web.library import InLibrary
from library_pipeline.web.links import refresh_url
from library_pipeline.web.refreshes import (
    MAX_ONLY,
    NO_SOURCE,
    FailureState,
    InRefreshService,
    RefreshDetails,
    RefreshOrder,
    RefreshService,
    RefreshState,
    Text,
    failure_state,
)
from library_pipeline.web.rendering import frame, page
from library_pipeline.web.search_views import refusals

MAX_FAILURES: Final = 1000
PER_PAGE: Final = 20
FAILURES_IN_LIST: Final = 5
FAILURES_ON_PAGE: Final = 500
Back = Annotated[Literal["/refreshes", "/failures", ""], Form()]
Before = Annotated[Text | None, Query()]

_api = APIRouter(prefix="/api", tags=["refreshes"])
_pages = APIRouter(include_in_schema=False)
_REFUSALS = refusals(400, 403, 404, 409, 503)


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Acceptance(_Answer):
    """The request is on record, and Dagster starts the refresh; `url` shows its state."""

    refresh_id: str
    url: str
    events_url: str
    page_url: str


class RefreshList(_Answer):
    """Refreshes, newest first, and the address of the older ones.

    `daemon_runs`: whether Dagster's daemon has looked for requests in the last seconds.
    """

    refreshes: tuple[RefreshState, ...]
    next: str | None
    daemon_runs: bool


class FailureList(_Answer):
    """Open failures, ordered by component id, and the address of the next ones."""

    failures: tuple[FailureState, ...]
    next: str | None


class FailureSelection(_Answer):
    """Failed components to try again; without `only`, all of them."""

    only: tuple[Text, ...] = Field(default=(), max_length=MAX_ONLY)


@dataclass(frozen=True, slots=True)
class RefreshCard:
    """A refresh as a page shows it. `cut`: there are more open failures than `failures` holds."""

    state: RefreshState
    unfinished: bool
    url: str
    failures: list[Failure]
    cut: bool


@_api.post("/refreshes", status_code=202, responses={**_REFUSALS})
def start(order: RefreshOrder, service: InRefreshService, response: Response) -> Acceptance:
    """Ask for a refresh and return its id. A sensor of Dagster starts it."""
    return _accepted(service.ask(order), response)


@_api.get("/refreshes", responses={**_REFUSALS})
def newest(
    service: InRefreshService,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
    before: Before = None,
) -> RefreshList:
    """Return refreshes, newest first; the first page begins with those that wait for Dagster."""
    with service.database.connect() as connection:
        refreshes = newest_refreshes(connection, limit, before=before)
        daemon = sensor_is_alive(connection)
    older = _older_than(refreshes, limit)
    states = tuple(service.state(each) for each in refreshes)
    return RefreshList(refreshes=states, next=older and f"/api{older}", daemon_runs=daemon)


@_api.post("/failures/retry", status_code=202, responses={**_REFUSALS})
def retry_chosen(
    chosen: FailureSelection, service: InRefreshService, response: Response
) -> Acceptance:
    """Ask for another try of the named failures, or of all."""
    return _accepted(service.ask(RefreshOrder(kind="retry", only=chosen.only)), response)


@_api.get("/failures", responses={**_REFUSALS})
def failures(
    service: InRefreshService,
    limit: Annotated[int, Query(ge=1, le=MAX_FAILURES)] = 100,
    after: Before = None,
) -> FailureList:
    """Return the open failures, ordered by component id."""
    with service.database.connect() as connection:
        found = open_failures(connection, limit=limit, after=after or "")
    more = None
    if len(found) == limit:
        more = "/api/failures?" + urlencode({"limit": limit, "after": found[-1].component_id})
    return FailureList(failures=tuple(map(failure_state, found)), next=more)


@_api.post("/refreshes/{refresh_id:path}/cancel", status_code=202, responses={**_REFUSALS})
def stop(refresh_id: str, service: InRefreshService) -> RefreshState:
    """Stop a refresh after the components under way; one that waits never begins."""
    return service.state(service.cancel(refresh_id))


@_api.post("/refreshes/{refresh_id:path}/retry", status_code=202, responses={**_REFUSALS})
def retry(refresh_id: str, service: InRefreshService, response: Response) -> Acceptance:
    """Ask for another try of what failed in this refresh and is still open."""
    return _accepted(service.retry(refresh_id), response)


@_api.get("/refreshes/{refresh_id:path}", responses={**_REFUSALS})
def one(refresh_id: str, service: InRefreshService) -> RefreshDetails:
    """Return one refresh with its failures."""
    refresh = service.find(refresh_id)
    with service.database.connect() as connection:
        failed = open_failures(connection, refresh_id=refresh_id, limit=MAX_FAILURES)
    return service.details(refresh, failed)


@_pages.get("/refreshes")
def show_refreshes(
    request: Request,
    service: InRefreshService,
    library: InLibrary,
    before: Before = None,
    limit: Annotated[int, Query(ge=1, le=200)] = PER_PAGE,
) -> Response:
    """Show the running and the past refreshes, with buttons to start more."""
    with service.database.connect() as connection:
        around = frame(connection)
        refreshes = newest_refreshes(connection, limit, before=before)
        cards = [_card(connection, service, each, FAILURES_IN_LIST) for each in refreshes]
        daemon = sensor_is_alive(connection)
        clients = library.facets.names(connection, "client")
    return page(
        request,
        "refreshes.html",
        frame=around,
        clients=clients,
        live=[card for card in cards if card.unfinished],
        done=[card for card in cards if not card.unfinished],
        first_page=before is None,
        older=_older_than(refreshes, limit),
        missing=_missing(service, daemon=daemon),
    )


@_pages.get("/refreshes/{refresh_id:path}")
def show_refresh(request: Request, refresh_id: str, service: InRefreshService) -> Response:
    """Show one refresh with its failures."""
    refresh = service.find(refresh_id)
    with service.database.connect() as connection:
        around = frame(connection)
        card = _card(connection, service, refresh, FAILURES_ON_PAGE)
    return page(request, "refresh.html", frame=around, item=card)


@_pages.post("/refreshes")
def start_from_page(
    service: InRefreshService,
    kind: Annotated[Literal["full", "incremental", "retry", "reembed"], Form()],
    client: Annotated[str, Form(max_length=1000)] = "",
    force: Annotated[bool, Form()] = False,
) -> Response:
    """Ask for a refresh and show it among the others."""
    service.ask(RefreshOrder(kind=kind, client=client or None, force=force))
    return _redirect("/refreshes")


@_pages.post("/failures/retry")
def retry_chosen_from_page(
    service: InRefreshService, only: Annotated[tuple[Text, ...], Form(max_length=1000)] = ()
) -> Response:
    """Ask for another try of the named failures, or of all."""
    service.ask(RefreshOrder(kind="retry", only=only))
    return _redirect("/refreshes")


@_pages.post("/refreshes/{refresh_id:path}/cancel")
def stop_from_page(refresh_id: str, service: InRefreshService, back: Back = "") -> Response:
    """Stop a refresh."""
    service.cancel(refresh_id)
    return _redirect(back or refresh_url(refresh_id))


@_pages.post("/refreshes/{refresh_id:path}/retry")
def retry_from_page(refresh_id: str, service: InRefreshService) -> Response:
    """Ask for another try of a refresh's failures."""
    service.retry(refresh_id)
    return _redirect("/refreshes")


router = APIRouter()
router.include_router(_api)
router.include_router(_pages)


def _card(
    connection: psycopg.Connection, service: RefreshService, refresh: Refresh, limit: int
) -> RefreshCard:
    failed = open_failures(connection, refresh_id=refresh.refresh_id, limit=limit + 1)
    return RefreshCard(
        service.state(refresh),
        refresh.unfinished,
        refresh_url(refresh.refresh_id),
        failed[:limit],
        len(failed) > limit,
    )


def _older_than(refreshes: Sequence[Refresh], limit: int) -> str | None:
    """Return the address of the page after these refreshes, without /api; None at the end."""
    begun = [each for each in refreshes if each.state != "waiting"]
    if len(begun) < limit:
        return None
    return "/refreshes?" + urlencode({"limit": limit, "before": begun[-1].refresh_id})


def _missing(service: RefreshService, *, daemon: bool) -> str | None:
    """Return why a refresh from this page would not run, None if it would."""
    if not service.has_source:
        return f"{NO_SOURCE[:1].upper()}{NO_SOURCE[1:]}."
    return None if daemon else f"{DAEMON_NEEDED}. Requests from this page wait until it does."


def _accepted(refresh_id: str, response: Response) -> Acceptance:
    address = refresh_url(refresh_id)
    response.headers["Location"] = f"/api{address}"
    return Acceptance(
        refresh_id=refresh_id,
        url=f"/api{address}",
        events_url=f"/api{address}/events",
        page_url=address,
    )


def _redirect(address: str) -> Response:
    return RedirectResponse(address, status_code=303)
