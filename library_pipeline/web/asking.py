"""Asking for refreshes, stopping them, trying failures again: what the API and the pages share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Self

import psycopg
from fastapi import Depends
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from starlette.requests import HTTPConnection

from library_pipeline.catalog.refresh import RefreshRequest, RefreshScope
from library_pipeline.settings import Settings
from library_pipeline.store.closing import cancel_refresh
from library_pipeline.store.database import Database
from library_pipeline.store.failures import failures_of, open_failures, without_failure
from library_pipeline.store.refreshes import new_refresh_id
from library_pipeline.store.requests import (
    DAEMON_NEEDED,
    SameRequestError,
    TooManyRequestsError,
    ask,
    sensor_is_alive,
)
from library_pipeline.store.snapshots import Snapshot, snapshot
from library_pipeline.web.dagster_pages import DagsterPages
from library_pipeline.web.links import refresh_url
from library_pipeline.web.problems import Problem, QuestionError

MAX_ONLY: Final = 1000


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("it must not contain the character NUL")
    return text


Text = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_storable)]


class Wanted(BaseModel):
    """A refresh to be done. `only` names components; a narrowed refresh never removes anything.

    `force`, for a full one, downloads and embeds again whatever is there already.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["full", "incremental", "retry", "reembed"] = "incremental"
    client: Text | None = None
    category: Text | None = None
    only: tuple[Text, ...] = Field(default=(), max_length=MAX_ONLY)
    limit: int | None = Field(default=None, ge=1, le=2**31 - 1)
    force: bool = False

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.force and self.kind != "full":
            raise ValueError(f"force is for kind full, not {self.kind}")
        if self.kind == "reembed" and (self.client or self.category or self.only):
            raise ValueError("a reembed can be narrowed by limit alone")
        return self


@dataclass(frozen=True, slots=True)
class Refreshing:
    """What requests for refreshes are answered with; the same for all of a process."""

    database: Database
    dagster: DagsterPages
    has_source: bool

    @classmethod
    def of(cls, database: Database, settings: Settings) -> Self:
        """Return what `settings` say of it."""
        return cls(
            database,
            DagsterPages.of(settings),
            bool(settings.cms.base_url or settings.sources),
        )


def _of_connection(connection: HTTPConnection) -> Refreshing:
    return connection.app.state.refreshing


InRefreshing = Annotated[Refreshing, Depends(_of_connection)]


def ask_for(refreshing: Refreshing, wanted: Wanted) -> str:
    """Have a refresh done and return its id. Raises QuestionError where that makes no sense."""
    if wanted.kind != "reembed" and not refreshing.has_source:
        raise _conflict("There is nothing to ask", "no CMS is configured: set cms.base_url")
    request = RefreshRequest(
        new_refresh_id(datetime.now(UTC)),
        wanted.kind,
        "api",
        RefreshScope(wanted.client, wanted.category, wanted.limit, wanted.only),
        wanted.force,
    )
    with refreshing.database.connect() as connection:
        if wanted.kind == "retry":
            _require_failures(connection, wanted.only)
        try:
            ask(connection, request)
        except SameRequestError as error:
            way_out = f"{error}: /api{refresh_url(error.refresh_id)}"
            raise _conflict("This has been asked for already", way_out) from None
        except TooManyRequestsError as error:
            raise _conflict("Too much has been asked for", str(error)) from None
    return request.refresh_id


def missing_for_refreshes(database: Database, settings: Settings) -> str | None:
    """Return what refreshes from the page lack here, None if nothing."""
    if not Refreshing.of(database, settings).has_source:
        return "no CMS is configured, so there is nothing to refresh from: set cms.base_url"
    with database.connect() as connection:
        alive = sensor_is_alive(connection)
    # `library-pipeline dev` sets the address, and starts the daemon at the same time as this.
    return None if alive or settings.dagster_url else DAEMON_NEEDED


def retry_of(refreshing: Refreshing, refresh_id: str) -> str:
    """Have what failed in a refresh, and still stands, tried again; return the new one's id."""
    found(refreshing, refresh_id)
    with refreshing.database.connect() as connection:
        failed = failures_of(connection, refresh_id, limit=MAX_ONLY + 1)
    if not failed:
        reason = (
            f"no failure of refresh {refresh_id} stands: later ones have seen to all there were"
        )
        raise _conflict("There is nothing to try again", reason)
    if len(failed) > MAX_ONLY:
        reason = (
            f"more than {MAX_ONLY} of its components failed: ask for a refresh of kind retry, "
            "which takes up every failure"
        )
        raise _conflict("These are too many to name", reason)
    return ask_for(
        refreshing, Wanted(kind="retry", only=tuple(item.component_id for item in failed))
    )


def cancel(refreshing: Refreshing, refresh_id: str) -> Snapshot:
    """Have a refresh stop, or not begin; return how it is now. Raises QuestionError."""
    found(refreshing, refresh_id)
    with refreshing.database.connect() as connection:
        if not cancel_refresh(connection, refresh_id):
            reason = f"refresh {refresh_id} has ended; there is nothing left to cancel"
            raise _conflict("This refresh is over", reason)
    return found(refreshing, refresh_id)


def found(refreshing: Refreshing, refresh_id: str) -> Snapshot:
    """Return a refresh or request. Raises QuestionError if there is none of that id."""
    with refreshing.database.connect() as connection:
        item = None if "\x00" in refresh_id else snapshot(connection, refresh_id)
    if item is None:
        raise QuestionError(
            Problem(
                404,
                "No such refresh",
                f"there is no refresh with the id {refresh_id!r}; /refreshes shows those there are",
            )
        )
    return item


def _require_failures(connection: psycopg.Connection, only: Sequence[str]) -> None:
    if not only and not open_failures(connection, limit=1):
        raise _conflict("There is nothing to try again", "no component has failed")
    if unknown := without_failure(connection, only):
        named = ", ".join(unknown[:5]) + (" ..." if len(unknown) > 5 else "")
        raise QuestionError(
            Problem(
                404,
                "No such failure",
                f"of these no failure stands: {named}; /api/failures lists those that do",
            )
        )


def _conflict(title: str, reason: str) -> QuestionError:
    return QuestionError(Problem(409, title, reason))
