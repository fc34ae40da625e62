"""The current manifest: staged page by page, made current in one transaction once it is whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.types.json import Jsonb

from library_pipeline.catalog.component import Component, FileRef
from library_pipeline.catalog.partition_keys import partition_key
from library_pipeline.sources.manifest import ManifestProblem

_STAGE = """
create temp table manifest_stage (
    position bigint generated always as identity, component_id text, partition_key text,
    revision text, name text, client text, category text, tags text[], updated_at timestamptz,
    files jsonb, problem_code text, problem text
) on commit preserve rows
"""
_COPY = """
copy manifest_stage (component_id, partition_key, revision, name, client, category, tags,
                     updated_at, files, problem_code, problem) from stdin
"""
# The same entry twice is a page that shifted while it was read; different ones share an id.
_MARK_DUPLICATES = """
update manifest_stage s set problem_code = 'manifest.duplicate_id',
    problem = format('component %s: the manifest lists this id %s times with different content; '
                     'give each component an id of its own', s.component_id, d.versions)
from (select component_id, count(distinct (revision, files, problem)) as versions
      from manifest_stage group by component_id
      having count(distinct (revision, files, problem)) > 1) d
where d.component_id = s.component_id
"""
_UPSERT = """
insert into pipeline.manifest_entry as m (component_id, partition_key, revision, name, client,
    category, tags, updated_at, files, problem_code, problem)
select distinct on (component_id) component_id, partition_key, revision, name, client, category,
       tags, updated_at, files, problem_code, problem
from manifest_stage order by component_id, position
on conflict (component_id) do update set
    revision = excluded.revision, name = excluded.name, client = excluded.client,
    category = excluded.category, tags = excluded.tags, updated_at = excluded.updated_at,
    files = excluded.files, problem_code = excluded.problem_code, problem = excluded.problem
where (m.revision, m.name, m.client, m.category, m.tags, m.updated_at, m.files, m.problem)
   is distinct from (excluded.revision, excluded.name, excluded.client, excluded.category,
                     excluded.tags, excluded.updated_at, excluded.files, excluded.problem)
"""
_DELETE_ABSENT = """
delete from pipeline.manifest_entry m
where not exists (select from manifest_stage s where s.component_id = m.component_id)
"""
_RECORD = """
insert into pipeline.manifest (source, etag, unidentified, read_at, deltas)
values (%s, %s, %s, %s, %s)
on conflict (only_row) do update set source = excluded.source, etag = excluded.etag,
    unidentified = excluded.unidentified, read_at = excluded.read_at, deltas = excluded.deltas,
    fetched_at = now()
"""
_RECORD_DELTA = """
update pipeline.manifest set etag = %s, read_at = %s, fetched_at = now()
where source = %s and deltas
"""


@dataclass(frozen=True, slots=True)
class CurrentManifest:
    """What is known of the manifest as a whole; `unidentified` entries had no usable id.

    `read_at` is when it was read, by the CMS's clock. With `deltas`, what changed since then can be
    put over it: every entry tells when it changed, and they are as many as the CMS has.
    """

    source: str
    etag: str | None
    unidentified: int
    read_at: datetime | None
    deltas: bool


class ManifestLoad:
    """A manifest on its way in, or what changed of it; nothing is visible before the commit."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self.entries = 0
        self.unidentified: list[ManifestProblem] = []
        self._undated = 0

    def add(self, entries: Iterable[Component | ManifestProblem]) -> None:
        """Stage one page."""
        with self._connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            for entry in entries:
                if isinstance(entry, ManifestProblem) and entry.component_id is None:
                    self.unidentified.append(entry)
                    continue
                copy.write_row(_row(entry))
                self.entries += 1
                self._undated += entry.updated_at is None

    def commit(
        self,
        *,
        source: str,
        etag: str | None,
        read_at: datetime | None = None,
        total: int | None = None,
    ) -> None:
        """Make the staged manifest the current one, in one transaction.

        `read_at` is when it was read, by the CMS's clock, and `total` how many components all of
        its pages said there are; without these the next manifest has to be a whole one, too.
        What it lacks is dropped, unless it is `short` of its own total.
        """
        with self._connection.transaction():
            self._connection.execute(_MARK_DUPLICATES)
            self._connection.execute(_UPSERT)
            if not self.unidentified and not self.short(total):
                # An entry without an id, or one that was missed, may be any component: then
                # absence proves nothing.
                self._connection.execute(_DELETE_ABSENT)
            deltas = read_at is not None and self._dated and self._count() == total
            unidentified = len(self.unidentified)
            self._connection.execute(_RECORD, (source, etag, unidentified, read_at, deltas))

    def commit_delta(self, *, source: str, etag: str | None, read_at: datetime, total: int) -> bool:
        """Put what is staged over the current manifest, in one transaction; return whether it fits.

        It does if the manifest then has `total` entries. If it has not, because something was
        removed or added unnoticed, or if an entry lacks its id or time or is there twice, nothing
        is changed: the manifest has to be read whole.
        """
        if not self._dated:
            return False
        with self._connection.transaction() as transaction:
            different_twice = self._connection.execute(_MARK_DUPLICATES).rowcount
            self._connection.execute(_UPSERT)
            recorded = self._connection.execute(_RECORD_DELTA, (etag, read_at, source)).rowcount
            if not different_twice and recorded and self._count() == total:
                return True
            raise psycopg.Rollback(transaction)
        return False

    def short(self, total: int | None) -> bool:
        """Whether entries are missing from what is staged, as when pages shift between readings."""
        return total is not None and self.entries + len(self.unidentified) < total

    @property
    def _dated(self) -> bool:
        """Whether every entry says what it is an entry of, and when it changed."""
        return not self.unidentified and not self._undated

    def _count(self) -> int:
        row = self._connection.execute("select count(*) from pipeline.manifest_entry").fetchone()
        return row[0] if row else 0


@contextmanager
def load_manifest(connection: psycopg.Connection) -> Iterator[ManifestLoad]:
    """Yield a load; its staging table goes with it, committed or not."""
    connection.execute(_STAGE)
    try:
        yield ManifestLoad(connection)
    finally:
        if not connection.closed:
            connection.execute("drop table if exists manifest_stage")


def current_manifest(connection: psycopg.Connection) -> CurrentManifest | None:
    """Return what the current manifest is, or None before the first."""
    row = connection.execute(
        "select source, etag, unidentified, read_at, deltas from pipeline.manifest"
    ).fetchone()
    return CurrentManifest(*row) if row else None


def confirm_manifest(connection: psycopg.Connection) -> None:
    """Record that the CMS has just said that the current manifest still is its own."""
    connection.execute("update pipeline.manifest set fetched_at = now()")


def components(connection: psycopg.Connection, ids: Sequence[str]) -> list[Component]:
    """Return the current manifest's usable entries for `ids`, in the order of their ids."""
    rows = connection.execute(
        """select component_id, revision, name, client, category, tags, updated_at, files
           from pipeline.manifest_entry
           where component_id = any(%s) and problem_code is null order by component_id""",
        (list(ids),),
    )
    return [
        Component(
            component_id=row[0],
            revision=row[1],
            name=row[2],
            client=row[3],
            category=row[4],
            tags=tuple(row[5]),
            updated_at=row[6],
            files={kind: FileRef(ref["url"], ref["sha256"]) for kind, ref in row[7].items()},
        )
        for row in rows
    ]


def unknown_components(connection: psycopg.Connection, ids: Sequence[str]) -> list[str]:
    """Return those of `ids` that the current manifest does not list."""
    rows = connection.execute(
        """select wanted from unnest(%s::text[]) wanted where not exists
           (select from pipeline.manifest_entry where component_id = wanted) order by wanted""",
        (list(ids),),
    )
    return [row[0] for row in rows]


def _row(entry: Component | ManifestProblem) -> tuple[object, ...]:
    if isinstance(entry, ManifestProblem):
        key = str(entry.component_id)
        problem = (entry.code, entry.message)
        return (key, partition_key(key), "", "", "", "", [], None, Jsonb({}), *problem)
    files = {kind: {"url": ref.url, "sha256": ref.sha256} for kind, ref in entry.files.items()}
    return (
        entry.component_id,
        partition_key(entry.component_id),
        entry.revision,
        entry.name,
        entry.client,
        entry.category,
        list(entry.tags),
        entry.updated_at,
        Jsonb(files),
        None,
        None,
    )
