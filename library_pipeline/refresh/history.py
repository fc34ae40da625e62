"""The library over time, and in numbers now: growth, samples of outcomes, vitals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

import psycopg

from library_pipeline.catalog.errors import Failure
from library_pipeline.catalog.refresh import Refresh
from library_pipeline.index.activation import Coverage, EncoderCoverage, coverage, encoder_coverages
from library_pipeline.refresh.log import closed_refreshes, last_refreshes

_SIZE = "select now(), count(*) from pipeline.component where removed_at is null"
# The order of digests is as good as random: the sample is fair, and always the same.
_ADDED = """
select count(*) over (), c.component_id, c.name, c.client, c.category, c.screenshot_sha256, null
from pipeline.component c
where c.removed_at is null and c.component_id in (
    select component_id from pipeline.refresh_component
    where refresh_id = any(%(refreshes)s) and outcome = 'new')
order by c.screenshot_sha256, c.component_id limit %(limit)s
"""
# The former screenshot belongs to the revision that was downloaded before. There is none if `gc`
# has deleted its bundle, or if the component was repaired at the same revision. Changed pictures
# come first.
_CHANGED = """
select count(*) over (), c.component_id, c.name, c.client, c.category, c.screenshot_sha256,
       former.sha256
from pipeline.component c
join (select component_id from pipeline.refresh_component
      where refresh_id = any(%(refreshes)s) and outcome in ('new', 'changed')
      group by component_id having every(outcome = 'changed')) changed using (component_id)
left join lateral (
    select b.files -> 'screenshot' ->> 'sha256' as sha256 from pipeline.bundle b
    where b.component_id = c.component_id and b.revision <> c.revision
    order by b.fetched_at desc limit 1) former on true
where c.removed_at is null
order by former.sha256 is null, former.sha256 = c.screenshot_sha256, c.screenshot_sha256,
         c.component_id
limit %(limit)s
"""
# One failure of every code comes before the second of any code.
_FAILED = """
select count(*) over (), f.component_id, coalesce(c.name, m.name, ''),
       coalesce(c.client, m.client, ''), coalesce(c.category, m.category, ''),
       c.screenshot_sha256, null,
       f.phase, f.code, f.message, f.transient, f.attempts, f.next_due_at
from pipeline.failure f
left join pipeline.component c on c.component_id = f.component_id and c.removed_at is null
left join pipeline.manifest_entry m on m.component_id = f.component_id
where f.refresh_id = any(%(refreshes)s)
order by row_number() over (partition by f.code order by f.component_id), f.code, f.component_id
limit %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Size:
    """How many components are searchable from a moment on."""

    at: datetime
    components: int


@dataclass(frozen=True, slots=True)
class SampleComponent:
    """One component, with the digests of its current screenshot and of the one before, if any."""

    component_id: str
    name: str
    client: str
    category: str
    screenshot_sha256: str | None
    former_sha256: str | None = None
    failure: Failure | None = None

    @property
    def title(self) -> str:
        """The component's name, or its id where the CMS gives it none."""
        return self.name or self.component_id

    @property
    def reason(self) -> str:
        """Why the component failed, without its id; empty if it did not fail."""
        message = self.failure.message if self.failure else ""
        return message.removeprefix(f"component {self.component_id}: ")


@dataclass(frozen=True, slots=True)
class Sample:
    """A few of the `total` components to which the same has happened."""

    total: int = 0
    shown: tuple[SampleComponent, ...] = ()

    @property
    def digests(self) -> set[str]:
        """The digests of all screenshots in the sample."""
        named = (each for one in self.shown for each in (one.screenshot_sha256, one.former_sha256))
        return {digest for digest in named if digest}


def growth(now: Size, refreshes: Sequence[Refresh]) -> list[Size]:
    """Return the library's sizes, oldest first: before all `refreshes`, after each, and `now`.

    The sizes are counted back from `now`, so the end of the curve is exact. Where `gc` has deleted
    old refreshes, the curve begins later, at the size of that time.
    """
    sizes = [now]
    components = now.components
    closed = [(each.finished_at, each) for each in refreshes if each.finished_at]
    for finished_at, refresh in sorted(closed, key=lambda each: each[0], reverse=True):
        sizes.append(Size(finished_at, components))
        components = max(0, components - refresh.new + refresh.removed)
    if closed:
        sizes.append(Size(sizes[-1].at, components))
    return sizes[::-1]


def growth_on_record(connection: psycopg.Connection, *, limit: int = 1000) -> list[Size]:
    """Return the growth over the newest `limit` refreshes that added or removed components."""
    row = connection.execute(_SIZE).fetchone()
    return growth(Size(*row), closed_refreshes(connection, limit=limit, moved=True)) if row else []


def added(connection: psycopg.Connection, refresh_ids: Sequence[str], *, limit: int) -> Sample:
    """Return components that these refreshes added and that are still searchable."""
    return _sample(connection, _ADDED, refresh_ids, limit)


def changed(connection: psycopg.Connection, refresh_ids: Sequence[str], *, limit: int) -> Sample:
    """Return components that these refreshes changed, without those that one of them added."""
    return _sample(connection, _CHANGED, refresh_ids, limit)


def failed(connection: psycopg.Connection, refresh_ids: Sequence[str], *, limit: int) -> Sample:
    """Return the open failures of these refreshes; one of every code comes first."""
    return _sample(connection, _FAILED, refresh_ids, limit)


def _sample(
    connection: psycopg.Connection, query: LiteralString, refresh_ids: Sequence[str], limit: int
) -> Sample:
    terms = {"refreshes": list(refresh_ids), "limit": limit}
    rows = connection.execute(query, terms).fetchall()
    return Sample(rows[0][0] if rows else 0, tuple(_sample_component(row) for row in rows))


def _sample_component(row: Sequence[object]) -> SampleComponent:
    _, component_id, name, client, category, screenshot, former, *why = row
    failure = Failure(component_id, *why) if why else None  # type: ignore[arg-type]
    return SampleComponent(component_id, name, client, category, screenshot, former, failure)  # type: ignore[arg-type]


# A poll that finds nothing new confirms the last reading, so it counts like one. After a
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
