"""A refresh: one pass over the library, what it was asked to do and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from library_pipeline.catalog.failures import Failure

RefreshKind = Literal["full", "incremental", "retry", "selected"]
RefreshState = Literal["planning", "running", "finished", "failed", "cancelled"]
AskedBy = Literal["cli", "python", "sensor", "schedule", "ui"]
Action = Literal["new", "changed", "check"]
Outcome = Literal["new", "changed", "unchanged", "failed"]


@dataclass(frozen=True, slots=True)
class RefreshScope:
    """What narrows a refresh. A narrowed refresh never removes anything."""

    client: str | None = None
    limit: int | None = None
    only: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether the refresh covers the whole library."""
        return self.client is None and self.limit is None and not self.only


@dataclass(frozen=True, slots=True)
class Counts:
    """Components by what a refresh did to them; `waiting` ones failed earlier and are not due."""

    total: int = 0
    new: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    failed: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a running refresh is: components planned, and how many have passed each phase."""

    refresh_id: str
    kind: RefreshKind
    state: RefreshState
    planned: int
    downloaded: int
    embedded: int
    stored: int
    failed: int
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class RefreshResult:
    """What a refresh did; `duration_seconds` is wall-clock."""

    refresh_id: str
    kind: RefreshKind
    state: RefreshState
    counts: Counts
    duration_seconds: float
    failures: Sequence[Failure] = field(default=())
    held_removals: int = 0
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the refresh finished and nothing failed."""
        return self.state == "finished" and not self.counts.failed
