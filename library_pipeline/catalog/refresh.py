"""A refresh: one pass over the library, with its request, its progress and its counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from library_pipeline.catalog.errors import Failure

RefreshKind = Literal["full", "incremental", "retry", "selected", "reembed"]
RefreshStatus = Literal["waiting", "planning", "running", "finished", "failed", "cancelled"]
RefreshPhase = Literal[
    "planning", "queued", "downloading", "embedding", "storing", "second try", "closing"
]
AskedBy = Literal["cli", "python", "sensor", "schedule", "ui", "api"]
Action = Literal["new", "changed", "check", "report", "embed"]
Outcome = Literal["new", "changed", "unchanged", "failed"]


@dataclass(frozen=True, slots=True)
class RefreshScope:
    """The part of the library that a refresh covers. A narrowed refresh never removes anything.

    `due_only` limits a retry or a reembed to failures whose next try is due.
    """

    client: str | None = None
    category: str | None = None
    limit: int | None = None
    only: tuple[str, ...] = ()
    due_only: bool = False

    @classmethod
    def of_json(cls, scope: Mapping[str, Any]) -> RefreshScope:
        """Return the scope that is stored as a JSON object."""
        return cls(**{**scope, "only": tuple(scope.get("only", ()))})

    @property
    def whole(self) -> bool:
        """Whether the refresh covers the whole library."""
        return self == RefreshScope(due_only=self.due_only)


@dataclass(frozen=True, slots=True)
class RefreshRequest:
    """A refresh that a person or a program asks for.

    `force` downloads and embeds everything again. The process that asks for an
    `in_process` refresh does its chunks itself; sensors start the chunks of the others.
    """

    refresh_id: str
    kind: RefreshKind
    asked_by: AskedBy
    scope: RefreshScope = RefreshScope()
    force: bool = False
    in_process: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of components, by what a refresh does to them.

    `waiting`: failed earlier and not yet due. `elsewhere`: part of another unfinished refresh.
    `unreached`: planned, but not done before the refresh was stopped.
    """

    total: int = 0
    new: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    failed: int = 0
    waiting: int = 0
    elsewhere: int = 0
    unreached: int = 0


@dataclass(frozen=True, slots=True)
class Refresh:
    """One refresh at one moment: its request, its progress and its counts.

    A refresh in the state `waiting` is a request that Dagster has not taken yet; `waits_for` says
    why, as a sentence. Of the `planned` components, `downloaded`, `embedded` and
    `stored` ones have passed each phase. `counts` holds the plan while the refresh runs, and the
    outcome afterwards. `duration_seconds` is wall-clock time, up to now while it is unfinished.
    `held_removals` wait for approval. `unread_sources` could not be read, so their components
    stay as they are. `failures` is filled only where they were read too.
    """

    request: RefreshRequest
    state: RefreshStatus
    started_at: datetime
    duration_seconds: float = 0.0
    finished_at: datetime | None = None
    phase: RefreshPhase | None = None
    planned: int = 0
    downloaded: int = 0
    embedded: int = 0
    stored: int = 0
    components_per_second: float | None = None
    seconds_left: float | None = None
    counts: Counts = Counts()
    held_removals: int = 0
    unread_sources: tuple[str, ...] = ()
    run_ids: tuple[str, ...] = ()
    error: str | None = None
    waits_for: str | None = None
    failures: tuple[Failure, ...] = ()

    @property
    def refresh_id(self) -> str:
        """The id by which pages, commands and Dagster know the refresh."""
        return self.request.refresh_id

    @property
    def kind(self) -> RefreshKind:
        """The kind of the refresh."""
        return self.request.kind

    @property
    def unfinished(self) -> bool:
        """Whether the refresh waits, is being planned or runs."""
        return self.state in ("waiting", "planning", "running")

    @property
    def ok(self) -> bool:
        """Whether it finished, read every source, failed nowhere and holds back no removal."""
        left = self.counts.failed or self.held_removals or self.unread_sources
        return self.state == "finished" and not left

    @property
    def total(self) -> int:
        """Number of components that the CMS lists, within the refresh's scope."""
        return self.counts.total

    @property
    def new(self) -> int:
        """Number of components that were not indexed before."""
        return self.counts.new

    @property
    def updated(self) -> int:
        """Number of components that were indexed at another revision, or are repaired."""
        return self.counts.changed

    @property
    def removed(self) -> int:
        """Number of components that left the index because they had left the CMS."""
        return self.counts.removed

    @property
    def unchanged(self) -> int:
        """Number of components that were up to date already."""
        return self.counts.unchanged

    @property
    def failed(self) -> int:
        """Number of components that could not be brought up to date."""
        return self.counts.failed

    @property
    def failed_components(self) -> Mapping[str, str]:
        """The code and message of each failure that was read, by component id."""
        return {item.component_id: f"{item.code}: {item.message}" for item in self.failures}
