"""The numbers of the library that monitors watch and `status` shows, read together."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from library_pipeline.catalog.refresh import Refresh
from library_pipeline.store.coverage import (
    Coverage,
    EncoderCoverage,
    coverage,
    encoder_coverages,
)
from library_pipeline.store.log import last_refreshes

# A poll that finds nothing new confirms what was read before, so it counts like a reading. After a
# failed poll only the last reading counts.
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


@dataclass(frozen=True, slots=True)
class SourceAge:
    """Seconds since a source last told what it lists, None if never, and whether it is readable."""

    name: str
    readable: bool
    age_seconds: float | None


@dataclass(frozen=True, slots=True)
class Vitals:
    """The library in numbers. `behind` counts components that are listed, not indexed, not failed.

    Sizes are in bytes: the whole database, and the screenshots in the bundle store. `refreshes`
    holds the refresh of each kind that ended last.
    """

    counts: Coverage
    behind: int
    encoders: tuple[EncoderCoverage, ...]
    sources: tuple[SourceAge, ...]
    database_bytes: int
    screenshot_bytes: int
    held_removals: int
    refreshed_seconds_ago: float | None
    """Seconds since a full or incremental refresh last finished, None if none has."""
    refreshes: tuple[Refresh, ...]

    @property
    def age_seconds(self) -> float | None:
        """The age of the source that was read longest ago, None if one was never read."""
        ages = [source.age_seconds for source in self.sources]
        known = [age for age in ages if age is not None]
        return max(known) if known and len(known) == len(ages) else None


def vitals(connection: psycopg.Connection) -> Vitals:
    """Return the library's numbers. The queries scan tables of up to 100,000 rows."""
    behind = connection.execute(_BEHIND).fetchone() or (0,)
    sizes = connection.execute(_SIZES).fetchone() or (0, 0, 0, None)
    return Vitals(
        counts=coverage(connection),
        behind=behind[0],
        encoders=encoder_coverages(connection),
        sources=tuple(SourceAge(*row) for row in connection.execute(_SOURCES)),
        database_bytes=sizes[0],
        screenshot_bytes=sizes[1],
        held_removals=sizes[2],
        refreshed_seconds_ago=sizes[3],
        refreshes=tuple(last_refreshes(connection)),
    )
