"""The pages that show refreshes, and start, stop and repeat them; forms work without script."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

import psycopg
from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from library_pipeline.catalog.failures import Failure
from library_pipeline.store.failures import failures_of
from library_pipeline.store.requests import DAEMON_NEEDED, sensor_is_alive
from library_pipeline.store.snapshots import Snapshot, newest_snapshots
from library_pipeline.web.asking import (
    InRefreshing,
    Refreshing,
    Text,
    Wanted,
    ask_for,
    cancel,
    found,
    retry_of,
)
from library_pipeline.web.library import InLibrary
from library_pipeline.web.links import refresh_url
from library_pipeline.web.refresh_states import RefreshState, refresh_state
from library_pipeline.web.refreshes import older_than
from library_pipeline.web.rendering import frame, page

router = APIRouter(include_in_schema=False)

PER_PAGE: Final = 20
FAILURES_IN_LIST: Final = 5
FAILURES_ON_PAGE: Final = 500
Back = Annotated[Literal["/refreshes", "/failures", ""], Form()]


@dataclass(frozen=True, slots=True)
class Shown:
    """A refresh as a page shows it; `cut`: more failures stand than are shown."""

    state: RefreshState
    unfinished: bool
    url: str
    failures: list[Failure]
    cut: bool


@router.get("/refreshes")
def refreshes(
    request: Request,
    refreshing: InRefreshing,
    library: InLibrary,
    before: Annotated[Text | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = PER_PAGE,
) -> Response:
    """Show what goes on and what was, with buttons to start more."""
    with refreshing.database.connect() as connection:
        around = frame(connection)
        items = newest_snapshots(connection, limit, before=before)
        shown = [_shown(connection, refreshing, item, FAILURES_IN_LIST) for item in items]
        daemon = sensor_is_alive(connection)
        clients = library.facets.names(connection, "client")
    return page(
        request,
        "refreshes.html",
        frame=around,
        clients=clients,
        live=[item for item in shown if item.unfinished],
        done=[item for item in shown if not item.unfinished],
        first_page=before is None,
        older=older_than(items, limit),
        missing=_missing(refreshing, daemon=daemon),
    )


@router.get("/refreshes/{refresh_id:path}")
def one(request: Request, refresh_id: str, refreshing: InRefreshing) -> Response:
    """Show one refresh with its failures."""
    item = found(refreshing, refresh_id)
    with refreshing.database.connect() as connection:
        around = frame(connection)
        shown = _shown(connection, refreshing, item, FAILURES_ON_PAGE)
    return page(request, "refresh.html", frame=around, item=shown)


@router.post("/refreshes")
def start(
    refreshing: InRefreshing,
    kind: Annotated[Literal["full", "incremental", "retry", "reembed"], Form()],
    client: Annotated[str, Form(max_length=1000)] = "",
    force: Annotated[bool, Form()] = False,
) -> Response:
    """Ask for a refresh and show it among the others."""
    ask_for(refreshing, Wanted(kind=kind, client=client or None, force=force))
    return _lead_to("/refreshes")


@router.post("/failures/retry")
def retry_chosen(
    refreshing: InRefreshing, only: Annotated[tuple[Text, ...], Form(max_length=1000)] = ()
) -> Response:
    """Ask for another try of failures: of those that are named, or of all."""
    ask_for(refreshing, Wanted(kind="retry", only=only))
    return _lead_to("/refreshes")


@router.post("/refreshes/{refresh_id:path}/cancel")
def stop(refresh_id: str, refreshing: InRefreshing, back: Back = "") -> Response:
    """Have a refresh stop."""
    cancel(refreshing, refresh_id)
    return _lead_to(back or refresh_url(refresh_id))


@router.post("/refreshes/{refresh_id:path}/retry")
def retry(refresh_id: str, refreshing: InRefreshing) -> Response:
    """Have a refresh's failures tried again."""
    retry_of(refreshing, refresh_id)
    return _lead_to("/refreshes")


def _shown(
    connection: psycopg.Connection, refreshing: Refreshing, item: Snapshot, limit: int
) -> Shown:
    failed = failures_of(connection, item.refresh_id, limit=limit + 1)
    return Shown(
        refresh_state(item, refreshing.dagster),
        item.unfinished,
        refresh_url(item.refresh_id),
        failed[:limit],
        len(failed) > limit,
    )


def _missing(refreshing: Refreshing, *, daemon: bool) -> str | None:
    """Return why what is asked for here would not be done."""
    if not refreshing.has_source:
        return "No CMS is configured: set cms.base_url (docs/configuration.md)."
    return None if daemon else f"{DAEMON_NEEDED}. What is asked for here waits until it does."


def _lead_to(address: str) -> Response:
    return RedirectResponse(address, status_code=303)
