"""The current manifest: staged page by page, made current in one transaction once it is whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

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
insert into pipeline.manifest (source, etag, unidentified) values (%s, %s, %s)
on conflict (only_row) do update set source = excluded.source, etag = excluded.etag,
    unidentified = excluded.unidentified, fetched_at = now()
"""


@dataclass(frozen=True, slots=True)
class CurrentManifest:
    """What is known of the manifest as a whole; `unidentified` entries had no usable id."""

    source: str
    etag: str | None
    unidentified: int


class ManifestLoad:
    """A manifest on its way in. Nothing of it is visible before `commit`."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self.entries = 0
        self.unidentified: list[ManifestProblem] = []

    def add(self, entries: Iterable[Component | ManifestProblem]) -> None:
        """Stage one page."""
        with self._connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            for entry in entries:
                if isinstance(entry, ManifestProblem) and entry.component_id is None:
                    self.unidentified.append(entry)
                    continue
                copy.write_row(_row(entry))
                self.entries += 1

    def commit(self, *, source: str, etag: str | None) -> None:
        """Make the staged manifest the current one, in one transaction."""
        with self._connection.transaction():
            self._connection.execute(_MARK_DUPLICATES)
            self._connection.execute(_UPSERT)
            if not self.unidentified:
                # An entry without an id may be any component: then absence proves nothing.
                self._connection.execute(_DELETE_ABSENT)
            self._connection.execute(_RECORD, (source, etag, len(self.unidentified)))


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
    row = connection.execute("select source, etag, unidentified from pipeline.manifest").fetchone()
    return CurrentManifest(*row) if row else None


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
