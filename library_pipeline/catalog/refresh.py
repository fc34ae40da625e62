"""A refresh: one pass over the library, what it was asked to do and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from library_pipeline.catalog.failures import Failure

RefreshKind = Literal["full", "incremental", "retry", "selected", "reembed"]
RefreshState = Literal["planning", "running", "finished", "failed", "cancelled"]
RefreshPhase = Literal[
    "planning", "queued", "downloading", "embedding", "storing", "second try", "closing"
]
AskedBy = Literal["cli", "python", "sensor", "schedule", "ui", "api"]
Action = Literal["new", "changed", "check", "report", "embed"]
Outcome = Literal["new", "changed", "unchanged", "failed"]


@dataclass(frozen=True, slots=True)
class RefreshScope:
    """What narrows a refresh. A narrowed refresh never removes anything.

    `due_only` narrows a retry to failures whose next try is due, and a reembed likewise.
    """

    client: str | None = None
    category: str | None = None
    limit: int | None = None
    only: tuple[str, ...] = ()
    due_only: bool = False

    @classmethod
    def of_json(cls, scope: Mapping[str, Any]) -> RefreshScope:
        """Return the scope that was kept as a JSON object."""
        return cls(**{**scope, "only": tuple(scope.get("only", ()))})

    @property
    def whole(self) -> bool:
        """Whether the refresh covers the whole library."""
        return self == RefreshScope(due_only=self.due_only)


@dataclass(frozen=True, slots=True)
class RefreshRequest:
    """What somebody asks for. `force` downloads and embeds again whatever is there already.

    A request `in_process` has its chunks done by its asker, others by whoever the sensors start.
    """

    refresh_id: str
    kind: RefreshKind
    asked_by: AskedBy
    scope: RefreshScope = RefreshScope()
    force: bool = False
    in_process: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """Components by what a refresh did to them.

    `waiting` ones failed earlier and are not due, `elsewhere` ones are another unfinished
    refresh's work, `unreached` ones were planned before it was stopped.
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
class Progress:
    """Where a refresh is: components planned, and how many have passed each phase."""

    refresh_id: str
    kind: RefreshKind
    state: RefreshState
    phase: RefreshPhase | None
    planned: int
    downloaded: int
    embedded: int
    stored: int
    failed: int
    components_per_second: float | None
    started_at: datetime
    seconds_left: float | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class RefreshResult:
    """What a refresh did; `duration_seconds` is wall-clock, `held_removals` wait for approval.

    `unread_sources` could not be read: what they listed before holds.
    """

    refresh_id: str
    kind: RefreshKind
    state: RefreshState
    counts: Counts
    duration_seconds: float
    run_ids: tuple[str, ...] = ()
    failures: Sequence[Failure] = field(default=())
    held_removals: int = 0
    error: str | None = None
    unread_sources: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it finished, all was read, nothing failed and nothing waits for a person."""
        left = self.counts.failed or self.held_removals or self.unread_sources
        return self.state == "finished" and not left

    @property
    def total(self) -> int:
        """Components that the CMS lists, within the refresh's scope."""
        return self.counts.total

    @property
    def new(self) -> int:
        """Components that were not indexed before."""
        return self.counts.new

    @property
    def updated(self) -> int:
        """Components that were indexed at another revision, or repaired."""
        return self.counts.changed

    @property
    def removed(self) -> int:
        """Components that left the index because they had left the CMS."""
        return self.counts.removed

    @property
    def unchanged(self) -> int:
        """Components that were right already."""
        return self.counts.unchanged

    @property
    def failed(self) -> int:
        """Components that could not be brought up to date."""
        return self.counts.failed

    @property
    def failed_components(self) -> Mapping[str, str]:
        """Why each failed component failed, by component id."""
        return {item.component_id: f"{item.code}: {item.message}" for item in self.failures}
