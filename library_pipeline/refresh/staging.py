"""The manifest in the database: staged page by page, then made current in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import psycopg
from psycopg.types.json import Jsonb

from library_pipeline.catalog.component import Component, FileRef, partition_key
from library_pipeline.sources.entry import ManifestProblem

_STAGE = """
create temp table manifest_stage (
    position bigint generated always as identity, component_id text, partition_key text,
    revision text, name text, client text, category text, tags text[], updated_at timestamptz,
    attributes jsonb, files jsonb, problem_code text, problem text
) on commit preserve rows
"""
_COPY = """
copy manifest_stage (component_id, partition_key, revision, name, client, category, tags,
                     updated_at, attributes, files, problem_code, problem) from stdin
"""
# Equal entries come from a page that shifted while it was read; different ones share an id.
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
insert into pipeline.manifest_entry as m (source, component_id, partition_key, revision, name,
    client, category, tags, updated_at, attributes, files, problem_code, problem)
select distinct on (component_id) %s, component_id, partition_key, revision, name, client,
       category, tags, updated_at, attributes, files, problem_code, problem
from manifest_stage order by component_id, position
on conflict (component_id) do update set
    source = excluded.source, revision = excluded.revision, name = excluded.name,
    client = excluded.client,
    category = excluded.category, tags = excluded.tags, updated_at = excluded.updated_at,
    attributes = excluded.attributes, files = excluded.files,
    problem_code = excluded.problem_code, problem = excluded.problem
where (m.source, m.revision, m.name, m.client, m.category, m.tags, m.updated_at, m.attributes,
       m.files, m.problem)
   is distinct from (excluded.source, excluded.revision, excluded.name, excluded.client,
                     excluded.category, excluded.tags, excluded.updated_at, excluded.attributes,
                     excluded.files, excluded.problem)
"""
_DELETE_ABSENT = """
delete from pipeline.manifest_entry m
where m.source = %s
  and not exists (select from manifest_stage s where s.component_id = m.component_id)
"""
_RECORD = """
insert into pipeline.manifest (name, source, etag, unidentified, read_at, deltas, fetched_at)
values (%s, %s, %s, %s, %s, %s, now())
on conflict (name) do update set source = excluded.source, etag = excluded.etag,
    unidentified = excluded.unidentified, read_at = excluded.read_at, deltas = excluded.deltas,
    fetched_at = now(), error = null
"""
_RECORD_DELTA = """
update pipeline.manifest set etag = %s, read_at = %s, fetched_at = now(), error = null
where name = %s and source = %s and deltas
"""


class ManifestLoad:
    """A manifest, or its changes, being loaded; others see nothing before the commit."""

    def __init__(self, connection: psycopg.Connection, name: str) -> None:
        self._connection = connection
        self._name = name
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

        `read_at` is the time of reading by the CMS's clock, `total` the number of components that
        all pages gave. Without these two, the next manifest has to be read whole as well. Missing
        entries are deleted, unless the manifest is `short` of its own total.
        """
        with self._connection.transaction():
            self._connection.execute(_MARK_DUPLICATES)
            self._connection.execute(_UPSERT, (self._name,))
            if not self.unidentified and not self.short(total):
                # Otherwise an entry without an id, or a missed one, may be any component.
                self._connection.execute(_DELETE_ABSENT, (self._name,))
            deltas = read_at is not None and self._dated and self._count() == total
            unidentified = len(self.unidentified)
            record = (self._name, source, etag, unidentified, read_at, deltas)
            self._connection.execute(_RECORD, record)

    def commit_delta(self, *, source: str, etag: str | None, read_at: datetime, total: int) -> bool:
        """Apply the staged changes to the current manifest at once; return whether they fit.

        They fit if the manifest then has `total` entries. If the number differs, or an entry has no
        id, no time, or two versions, nothing is changed and the manifest has to be read whole.
        """
        if not self._dated:
            return False
        with self._connection.transaction() as transaction:
            different_twice = self._connection.execute(_MARK_DUPLICATES).rowcount
            self._connection.execute(_UPSERT, (self._name,))
            record = (etag, read_at, self._name, source)
            recorded = self._connection.execute(_RECORD_DELTA, record).rowcount
            if not different_twice and recorded and self._count() == total:
                return True
            raise psycopg.Rollback(transaction)
        return False

    def short(self, total: int | None) -> bool:
        """Return whether staged entries are fewer than `total`, as when pages shift meanwhile."""
        return total is not None and self.entries + len(self.unidentified) < total

    @property
    def _dated(self) -> bool:
        """Whether every entry has its id and its time of change."""
        return not self.unidentified and not self._undated

    def _count(self) -> int:
        row = self._connection.execute(
            "select count(*) from pipeline.manifest_entry where source = %s", (self._name,)
        ).fetchone()
        return row[0] if row else 0


@contextmanager
def load_manifest(connection: psycopg.Connection, name: str = "cms") -> Iterator[ManifestLoad]:
    """Yield a load of source `name`; its staging table is dropped afterwards."""
    connection.execute(_STAGE)
    try:
        yield ManifestLoad(connection, name)
    finally:
        if not connection.closed:
            connection.execute("drop table if exists manifest_stage")


def components(connection: psycopg.Connection, ids: Sequence[str]) -> list[Component]:
    """Return the current manifest's usable entries for `ids`, sorted by id."""
    rows = connection.execute(
        """select component_id, revision, name, client, category, tags, updated_at, files,
                  attributes, source
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
            attributes=row[8],
            source=row[9],
        )
        for row in rows
    ]


def unknown_components(connection: psycopg.Connection, ids: Sequence[str]) -> list[str]:
    """Return those of `ids` that the current manifest does not list."""
    rows = connection.execute(
        """select asked from unnest(%s::text[]) asked where not exists
           (select from pipeline.manifest_entry where component_id = asked) order by asked""",
        (list(ids),),
    )
    return [row[0] for row in rows]


def _row(entry: Component | ManifestProblem) -> tuple[object, ...]:
    if isinstance(entry, ManifestProblem):
        key = str(entry.component_id)
        problem = (entry.code, entry.message)
        return (key, partition_key(key), "", "", "", "", [], None, Jsonb({}), Jsonb({}), *problem)
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
        Jsonb(entry.attributes),
        Jsonb(files),
        None,
        None,
    )
