"""Refreshes for the web: ask for them, find, cancel and retry them, and render them as JSON.

The API, the pages and the event feed all work through `RefreshService`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, Self

import psycopg
from fastapi import Depends
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from starlette.requests import HTTPConnection

from library_pipeline.catalog.errors import Failure
from library_pipeline.catalog.refresh import Refresh, RefreshRequest, RefreshScope
from library_pipeline.database.connection import Database
from library_pipeline.refresh.closing import cancel_refresh
from library_pipeline.refresh.log import find_refresh, new_refresh_id
from library_pipeline.refresh.outcomes import open_failures, without_failure
from library_pipeline.refresh.requests import (
    DAEMON_NEEDED,
    SameRequestError,
    TooManyRequestsError,
    ask,
    sensor_is_alive,
)
from library_pipeline.settings import Settings
from library_pipeline.web.library import DagsterPages
from library_pipeline.web.links import refresh_url
from library_pipeline.web.problems import Problem, QuestionError

MAX_ONLY: Final = 1000
SHOWN_IDS: Final = 20
NO_SOURCE: Final = "no CMS is configured: set cms.base_url or sources (docs/configuration.md)"


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("it must not contain the character NUL")
    return text


Text = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_without_nul)]


class RefreshOrder(BaseModel):
    """A refresh to do. `only` names components; a narrowed refresh never removes anything.

    With `force`, a full refresh also downloads and embeds unchanged components again.
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


class _State(BaseModel):
    model_config = ConfigDict(frozen=True)


class Scope(_State):
    """The part of the library that a refresh covers; `only` holds the first of `only_count` ids."""

    client: str | None
    category: str | None
    limit: int | None
    only: tuple[str, ...]
    only_count: int
    due_only: bool


class Run(_State):
    """A Dagster run, and its page if `dagster_url` is set."""

    run_id: str
    url: str | None


class RefreshState(_State):
    """A refresh at one moment. In the state `waiting`, Dagster has not taken it yet.

    `waits_for` says what it waits for. Of the `planned` components, `downloaded`, `embedded` and
    `stored` ones have passed each phase. The counts from `total` on hold the plan while the refresh
    runs, and the outcome afterwards.
    """

    refresh_id: str
    kind: str
    state: str
    phase: str | None
    waits_for: str | None
    asked_by: str
    force: bool
    scope: Scope
    planned: int
    downloaded: int
    embedded: int
    stored: int
    failed: int
    total: int
    new: int
    changed: int
    removed: int
    unchanged: int
    waiting: int
    elsewhere: int
    unreached: int
    held_removals: int
    components_per_second: float | None
    seconds_left: float | None
    started_at: datetime
    finished_at: datetime | None
    duration_seconds: float | None
    error: str | None
    runs: tuple[Run, ...]
    url: str
    events_url: str


class FailureState(_State):
    """A component that could not be brought up to date, and why; see docs/operations.md."""

    component_id: str
    phase: str
    code: str
    reason: str
    transient: bool
    attempts: int
    next_due_at: datetime | None


class RefreshDetails(RefreshState):
    """A refresh with its open failures, at most the first thousand."""

    failures: tuple[FailureState, ...]


def failure_state(failure: Failure) -> FailureState:
    """Return a failure as the API shows it."""
    fields = asdict(failure)
    return FailureState(reason=fields.pop("message"), **fields)


@dataclass(frozen=True, slots=True)
class RefreshService:
    """All that the web does with refreshes; one per process.

    Methods raise QuestionError where a request makes no sense or an id is unknown.
    """

    database: Database
    dagster: DagsterPages
    has_source: bool

    @classmethod
    def of(cls, database: Database, settings: Settings) -> Self:
        """Return the service for the library that `settings` describe."""
        return cls(
            database,
            DagsterPages.of(settings),
            bool(settings.cms.base_url or settings.sources),
        )

    def ask(self, order: RefreshOrder) -> str:
        """Ask for a refresh; return its id."""
        if order.kind != "reembed" and not self.has_source:
            raise _conflict("There is nothing to ask", NO_SOURCE)
        request = RefreshRequest(
            new_refresh_id(datetime.now(UTC)),
            order.kind,
            "api",
            RefreshScope(order.client, order.category, order.limit, order.only),
            order.force,
        )
        with self.database.connect() as connection:
            if order.kind == "retry":
                _require_failures(connection, order.only)
            try:
                ask(connection, request)
            except SameRequestError as error:
                way_out = f"{error}: /api{refresh_url(error.refresh_id)}"
                raise _conflict("This has been asked for already", way_out) from None
            except TooManyRequestsError as error:
                raise _conflict("Too much has been asked for", str(error)) from None
        return request.refresh_id

    def retry(self, refresh_id: str) -> str:
        """Ask for another try of a refresh's open failures; return the new refresh's id."""
        self.find(refresh_id)
        with self.database.connect() as connection:
            failed = open_failures(connection, refresh_id=refresh_id, limit=MAX_ONLY + 1)
        if not failed:
            reason = (
                f"refresh {refresh_id} has no open failure; later refreshes have dealt with any "
                "that it had"
            )
            raise _conflict("There is nothing to try again", reason)
        if len(failed) > MAX_ONLY:
            reason = (
                f"more than {MAX_ONLY} of its components failed: ask for a refresh of kind retry, "
                "which takes up every failure"
            )
            raise _conflict("These are too many to name", reason)
        return self.ask(
            RefreshOrder(kind="retry", only=tuple(each.component_id for each in failed))
        )

    def cancel(self, refresh_id: str) -> Refresh:
        """Stop a refresh, or a request before it begins; return its present state."""
        self.find(refresh_id)
        with self.database.connect() as connection:
            if not cancel_refresh(connection, refresh_id):
                reason = f"refresh {refresh_id} has ended; there is nothing left to cancel"
                raise _conflict("This refresh is over", reason)
        return self.find(refresh_id)

    def find(self, refresh_id: str) -> Refresh:
        """Return the refresh or open request of this id."""
        with self.database.connect() as connection:
            refresh = None if "\x00" in refresh_id else find_refresh(connection, refresh_id)
        if refresh is None:
            raise QuestionError(
                Problem(
                    404,
                    "No such refresh",
                    f"there is no refresh with the id {refresh_id!r}; /refreshes lists them all",
                )
            )
        return refresh

    def state(self, refresh: Refresh) -> RefreshState:
        """Return a refresh as the API, the events and the pages show it."""
        return RefreshState(**self._fields(refresh))

    def details(self, refresh: Refresh, failures: Sequence[Failure]) -> RefreshDetails:
        """Return a refresh with `failures` as the API shows it."""
        return RefreshDetails(
            **self._fields(refresh), failures=tuple(failure_state(each) for each in failures)
        )

    def _fields(self, refresh: Refresh) -> dict[str, Any]:
        request, address = refresh.request, f"/api{refresh_url(refresh.refresh_id)}"
        scope, only = request.scope, request.scope.only
        names = [name for name in RefreshState.model_fields if hasattr(refresh, name)]
        return {
            **asdict(refresh.counts),
            **{name: getattr(refresh, name) for name in names},
            "asked_by": request.asked_by,
            "force": request.force,
            "scope": Scope(**asdict(replace(scope, only=only[:SHOWN_IDS])), only_count=len(only)),
            "duration_seconds": refresh.duration_seconds if refresh.finished_at else None,
            "runs": tuple(
                Run(run_id=each, url=self.dagster.of_run(each)) for each in refresh.run_ids
            ),
            "url": address,
            "events_url": f"{address}/events",
        }


def _service_of(connection: HTTPConnection) -> RefreshService:
    return connection.app.state.refresh_service


InRefreshService = Annotated[RefreshService, Depends(_service_of)]


def missing_for_refreshes(database: Database, settings: Settings) -> str | None:
    """Return why the page cannot start a refresh, None if it can."""
    if not RefreshService.of(database, settings).has_source:
        return NO_SOURCE
    with database.connect() as connection:
        alive = sensor_is_alive(connection)
    # `library-pipeline dev` sets the address, and starts the daemon together with this server.
    return None if alive or settings.dagster_url else DAEMON_NEEDED


def _require_failures(connection: psycopg.Connection, only: Sequence[str]) -> None:
    if not only and not open_failures(connection, limit=1):
        raise _conflict("There is nothing to try again", "no component has failed")
    if unknown := without_failure(connection, only):
        named = ", ".join(unknown[:5]) + (" ..." if len(unknown) > 5 else "")
        raise QuestionError(
            Problem(
                404,
                "No such failure",
                f"these have no open failure: {named}; /api/failures lists those that do",
            )
        )


def _conflict(title: str, reason: str) -> QuestionError:
    return QuestionError(Problem(409, title, reason))
