"""How the library has grown and how quick its refreshes were, from the log of refreshes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg

from library_pipeline.catalog.refresh import RefreshKind, RefreshState

_CHANGES = """
select finished_at, new, removed from pipeline.refresh
where state not in ('planning', 'running') and new + removed > 0
order by finished_at desc limit %s
"""
_COUNT = "select now(), count(*) from pipeline.component where removed_at is null"
_PACES = """
select kind, state, finished_at, failed, duration_seconds, components_per_second
from library.refresh where state not in ('planning', 'running')
order by started_at desc limit %s
"""


@dataclass(frozen=True, slots=True)
class Change:
    """When a refresh was done, and how many components it brought and took."""

    at: datetime
    new: int
    removed: int


@dataclass(frozen=True, slots=True)
class Size:
    """How many components were searchable from a moment on."""

    at: datetime
    components: int


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a closed refresh took, and how many components it did a second, if any."""

    kind: RefreshKind
    state: RefreshState
    finished_at: datetime
    failed: int
    seconds: float
    per_second: float | None

    @property
    def ok(self) -> bool:
        """Whether it finished and nothing failed."""
        return self.state == "finished" and not self.failed


def growth(now: Size, changes: Sequence[Change]) -> list[Size]:
    """Return the library's sizes, oldest first: the one before all `changes`, after each, `now`.

    It walks back from the components that are there now. So the curve is right at its end, and
    stays right where `gc` has dropped old refreshes: it begins later, at what there was by then.
    """
    sizes = [now]
    components = now.components
    for change in sorted(changes, key=lambda change: change.at, reverse=True):
        sizes.append(Size(change.at, components))
        components = max(0, components - change.new + change.removed)
    if changes:
        sizes.append(Size(sizes[-1].at, components))
    return sizes[::-1]


def growth_on_record(connection: psycopg.Connection, *, limit: int = 1000) -> list[Size]:
    """Return the library's growth over the `limit` newest refreshes that brought or took any."""
    changes = [Change(*row) for row in connection.execute(_CHANGES, (limit,))]
    now = connection.execute(_COUNT).fetchone()
    return growth(Size(*now), changes) if now else []


def paces(connection: psycopg.Connection, *, limit: int = 50) -> list[Pace]:
    """Return the paces of the newest closed refreshes, oldest first."""
    return [Pace(*row) for row in connection.execute(_PACES, (limit,))][::-1]
