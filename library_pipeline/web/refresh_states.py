"""Refreshes and failures as JSON: the same words in answers, in events and for the pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from library_pipeline.catalog.failures import Failure
from library_pipeline.store.snapshots import Snapshot
from library_pipeline.web.dagster_pages import DagsterPages
from library_pipeline.web.links import refresh_url

SHOWN_IDS = 20


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True)


class Scope(_Said):
    """What a refresh is narrowed to; of `only_count` ids the first ones are in `only`."""

    client: str | None
    category: str | None
    limit: int | None
    only: tuple[str, ...]
    only_count: int
    due_only: bool


class Run(_Said):
    """A Dagster run, and its page where `dagster_url` is set."""

    run_id: str
    url: str | None


class RefreshState(_Said):
    """A refresh at a moment; `waiting` is one that Dagster has yet to take (`waits_for` says why).

    Of `planned` components so many have been `downloaded`, `embedded`, `stored`. The counts from
    `total` on are what is planned while it runs, and what came of it afterwards.
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


class FailureState(_Said):
    """A component that could not be brought up to date, and why; see docs/operations.md."""

    component_id: str
    phase: str
    code: str
    reason: str
    transient: bool
    attempts: int
    next_due_at: datetime | None


class RefreshDetails(RefreshState):
    """A refresh with the failures that stand since; at most the first thousand."""

    failures: tuple[FailureState, ...]


def refresh_state(item: Snapshot, dagster: DagsterPages) -> RefreshState:
    """Return what is told of a refresh; `dagster` knows its runs' pages."""
    return RefreshState(**_fields(item, dagster))


def refresh_details(
    item: Snapshot, failures: Sequence[Failure], dagster: DagsterPages
) -> RefreshDetails:
    """Return what is told of one refresh that was asked for by its id."""
    failed = tuple(failure_state(failure) for failure in failures)
    return RefreshDetails(**_fields(item, dagster), failures=failed)


def failure_state(failure: Failure) -> FailureState:
    """Return what is told of a failure."""
    fields = asdict(failure)
    return FailureState(reason=fields.pop("message"), **fields)


def _fields(item: Snapshot, dagster: DagsterPages) -> dict[str, Any]:
    scope, address = item.scope, f"/api{refresh_url(item.refresh_id)}"
    names = RefreshState.model_fields.keys() & set(Snapshot.__dataclass_fields__)
    return {
        **asdict(item.counts),
        **{name: getattr(item, name) for name in names},
        "force": item.forced,
        "scope": Scope(
            client=scope.client,
            category=scope.category,
            limit=scope.limit,
            only=scope.only[:SHOWN_IDS],
            only_count=len(scope.only),
            due_only=scope.due_only,
        ),
        "runs": tuple(Run(run_id=each, url=dagster.of_run(each)) for each in item.run_ids),
        "url": address,
        "events_url": f"{address}/events",
    }
