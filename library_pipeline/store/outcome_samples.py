"""What refreshes added, changed and failed at: how much of it, and a few to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import LiteralString

import psycopg

from library_pipeline.catalog.failures import Failure

# Digests are as good as random: a fair sample of what may be thousands, and always the same one.
_ADDED = """
select count(*) over (), c.component_id, c.name, c.client, c.category, c.screenshot_sha256, null
from pipeline.component c
where c.removed_at is null and c.component_id in (
    select component_id from pipeline.refresh_component
    where refresh_id = any(%(refreshes)s) and outcome = 'new')
order by c.screenshot_sha256, c.component_id limit %(limit)s
"""
# The former screenshot is that of the revision that was downloaded before; `gc` may have its
# bundle, and one that was repaired at the same revision has none. Changed pictures come first.
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
# One of every code before a second of any.
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
class Shown:
    """One component; digests of the screenshot that search shows and of the one before, if any."""

    component_id: str
    name: str
    client: str
    category: str
    screenshot_sha256: str | None
    former_sha256: str | None = None
    failure: Failure | None = None

    @property
    def title(self) -> str:
        """Its name, or its id where the CMS gives it none."""
        return self.name or self.component_id

    @property
    def reason(self) -> str:
        """Why it failed, if it has; which component that was is said already."""
        message = self.failure.message if self.failure else ""
        return message.removeprefix(f"component {self.component_id}: ")


@dataclass(frozen=True, slots=True)
class Sample:
    """Some of the `total` components to which the same has happened."""

    total: int = 0
    shown: tuple[Shown, ...] = field(default=())

    @property
    def digests(self) -> set[str]:
        """All digests that it names."""
        named = (each for one in self.shown for each in (one.screenshot_sha256, one.former_sha256))
        return {digest for digest in named if digest}


def added(connection: psycopg.Connection, refresh_ids: Sequence[str], *, limit: int) -> Sample:
    """Return what these refreshes added and is still searchable."""
    return _sample(connection, _ADDED, refresh_ids, limit)


def changed(connection: psycopg.Connection, refresh_ids: Sequence[str], *, limit: int) -> Sample:
    """Return what these refreshes changed, less what one of them had added."""
    return _sample(connection, _CHANGED, refresh_ids, limit)


def failed(connection: psycopg.Connection, refresh_ids: Sequence[str], *, limit: int) -> Sample:
    """Return the failures of these refreshes that stand, at first one of every code."""
    return _sample(connection, _FAILED, refresh_ids, limit)


def _sample(
    connection: psycopg.Connection, query: LiteralString, refresh_ids: Sequence[str], limit: int
) -> Sample:
    terms = {"refreshes": list(refresh_ids), "limit": limit}
    rows = connection.execute(query, terms).fetchall()
    return Sample(rows[0][0] if rows else 0, tuple(_shown(row) for row in rows))


def _shown(row: Sequence[object]) -> Shown:
    _, component_id, name, client, category, screenshot, former, *why = row
    failure = Failure(component_id, *why) if why else None  # type: ignore[arg-type]
    return Shown(component_id, name, client, category, screenshot, former, failure)  # type: ignore[arg-type]
