"""The library in numbers: what monitors watch and `status` shows, in one reading."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import psycopg

from library_pipeline.catalog.refresh import Counts, RefreshKind, RefreshState
from library_pipeline.store.coverage import (
    Coverage,
    EncoderCoverage,
    coverage,
    encoder_coverages,
)

# A poll that found nothing new says the same as a reading does; of one that failed only the
# reading before it counts.
_SOURCES = """
select name, error is null,
       extract(epoch from now() - case when error is null
           then greatest(fetched_at, polled_at) else fetched_at end)::float8
from pipeline.manifest order by name
"""
_SIZES = """
select pg_database_size(current_database()),
       (select coalesce(sum(size), 0)::bigint from pipeline.screenshot),
       (select count(*) from pipeline.removal_hold where approved_at is null),
       (select extract(epoch from now() - max(finished_at))::float8 from pipeline.refresh
        where state = 'finished' and kind in ('full', 'incremental'))
"""
_BEHIND = """
select count(*) from pipeline.manifest_entry m
where not exists (select from pipeline.component c where c.removed_at is null
                  and (c.component_id, c.revision) = (m.component_id, m.revision))
  and not exists (select from pipeline.failure f
                  where (f.component_id, f.revision) = (m.component_id, m.revision))
"""
_REFRESHES = """
select distinct on (kind) kind, state, finished_at,
       extract(epoch from finished_at - started_at)::float8,
       total, new, changed, removed, unchanged, failed, waiting, elsewhere, unreached
from pipeline.refresh where finished_at is not null order by kind, finished_at desc
"""


@dataclass(frozen=True, slots=True)
class SourceAge:
    """How many seconds ago a source last said what it lists, None if never; can it be read now."""

    name: str
    readable: bool
    age_seconds: float | None


@dataclass(frozen=True, slots=True)
class LastRefresh:
    """The refresh of a kind that ended last."""

    kind: RefreshKind
    state: RefreshState
    finished_at: datetime
    duration_seconds: float
    counts: Counts


@dataclass(frozen=True, slots=True)
class Vitals:
    """The library in numbers; `behind` counts what is listed and neither indexed nor failed.

    Sizes are in bytes: the whole database, and the screenshots in the bundle store.
    """

    counts: Coverage
    behind: int
    encoders: tuple[EncoderCoverage, ...]
    sources: tuple[SourceAge, ...]
    database_bytes: int
    screenshot_bytes: int
    held_removals: int
    refreshed_seconds_ago: float | None
    """Since a full or incremental refresh was last done to its end, None if never."""
    refreshes: tuple[LastRefresh, ...]

    @property
    def age_seconds(self) -> float | None:
        """How old what the index knows of its sources is: the oldest one's age, None if never."""
        ages = [source.age_seconds for source in self.sources]
        known = [age for age in ages if age is not None]
        return max(known) if known and len(known) == len(ages) else None


def vitals(connection: psycopg.Connection) -> Vitals:
    """Return the library's numbers; a few queries that read whole tables of 100,000 rows."""
    behind = connection.execute(_BEHIND).fetchone() or (0,)
    sizes = connection.execute(_SIZES).fetchone() or (0, 0, 0, None)
    refreshes = connection.execute(_REFRESHES).fetchall()
    return Vitals(
        counts=coverage(connection),
        behind=behind[0],
        encoders=encoder_coverages(connection),
        sources=tuple(SourceAge(*row) for row in connection.execute(_SOURCES)),
        database_bytes=sizes[0],
        screenshot_bytes=sizes[1],
        held_removals=sizes[2],
        refreshed_seconds_ago=sizes[3],
        refreshes=tuple(
            LastRefresh(kind, state, at, seconds, Counts(*counts))
            for kind, state, at, seconds, *counts in refreshes
        ),
    )
