"""Garbage collection: files and rows that nothing needs any more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import psycopg
from psycopg import sql

from library_pipeline.bundles.store import BundleStore
from library_pipeline.catalog.errors import LibraryError
from library_pipeline.database.connection import BUNDLES_IN_USE, Database, sole_lease
from library_pipeline.index.embeddings import embedding_table

_REMOVED = """
delete from pipeline.component where removed_at < now() - %(keep)s
  and not exists (select from pipeline.manifest_entry m
                  where m.component_id = pipeline.component.component_id)
"""
# A bundle is needed while its revision is indexed, or listed and about to be indexed.
_BUNDLES = """
delete from pipeline.bundle b where fetched_at < now() - %(keep)s
  and not exists (select from pipeline.component c
                  where (c.component_id, c.revision) = (b.component_id, b.revision))
  and not exists (select from pipeline.manifest_entry m
                  where (m.component_id, m.revision) = (b.component_id, b.revision))
"""
_ORPHANED = """
create temp table orphaned on commit drop as
select s.sha256 from pipeline.screenshot s
where not exists (select from pipeline.component c where c.screenshot_sha256 = s.sha256)
  and not exists (select from pipeline.bundle b
                  where b.files -> 'screenshot' ->> 'sha256' = s.sha256)
"""
# DeletedRows about orphaned screenshots, in the order in which they can be deleted.
_FINDINGS = (
    """delete from pipeline.look_alike p using pipeline.compared c, orphaned o
       where c.screenshot_sha256 = o.sha256 and p.a = c.number""",
    """delete from pipeline.look_alike p using pipeline.compared c, orphaned o
       where c.screenshot_sha256 = o.sha256 and p.b = c.number""",
    "delete from pipeline.compared c using orphaned o where c.screenshot_sha256 = o.sha256",
    "delete from pipeline.atlas a using orphaned o where a.screenshot_sha256 = o.sha256",
)
_REFRESHES = """
delete from pipeline.refresh r where finished_at < now() - %(keep_log)s
  and not exists (select from pipeline.removal_hold h where h.refresh_id = r.id)
"""
_LEFTOVERS_AFTER_SECONDS = 3600
_REQUESTS = "delete from pipeline.refresh_request where closed_at < now() - %(keep_log)s"


@dataclass(frozen=True, slots=True)
class DeletedRows:
    """DeletedRows that were deleted from the database."""

    components: int
    bundles: int
    screenshots: int
    vectors: int
    refreshes: int


def delete_unneeded(
    connection: psycopg.Connection, *, keep_removed: timedelta, keep_log: timedelta
) -> DeletedRows:
    """Delete garbage that is old enough, inside the caller's transaction; return the counts."""
    terms = {"keep": keep_removed, "keep_log": keep_log}
    components = connection.execute(_REMOVED, terms).rowcount
    bundles = connection.execute(_BUNDLES, terms).rowcount
    connection.execute(_ORPHANED)
    vectors = 0
    for (encoder_id,) in connection.execute("select id from pipeline.encoder").fetchall():
        delete = sql.SQL("delete from {} e using orphaned o where e.screenshot_sha256 = o.sha256")
        vectors += connection.execute(delete.format(embedding_table(encoder_id))).rowcount
    for statement in _FINDINGS:
        connection.execute(statement)
    screenshots = connection.execute(
        "delete from pipeline.screenshot s using orphaned o where s.sha256 = o.sha256"
    ).rowcount
    refreshes = connection.execute(_REFRESHES, terms).rowcount
    connection.execute(_REQUESTS, terms)
    return DeletedRows(components, bundles, screenshots, vectors, refreshes)


def needed_files(connection: psycopg.Connection) -> set[bytes]:
    """Return the binary sha256 digests of all files of recorded bundles."""
    with connection.transaction(), connection.cursor("needed_files") as cursor:
        cursor.execute(
            """select distinct decode(file.value ->> 'sha256', 'hex')
               from pipeline.bundle b, jsonb_each(b.files) file"""
        )
        return {bytes(row[0]) for row in cursor}


def live_partition_keys(connection: psycopg.Connection) -> set[str]:
    """Return the partition keys of all components that are listed or indexed."""
    rows = connection.execute(
        """select partition_key from pipeline.manifest_entry
           union select partition_key from pipeline.component where removed_at is null"""
    )
    return {row[0] for row in rows}


class GarbageError(LibraryError):
    """Garbage cannot be collected now."""

    def __init__(self, message: str, *, code: str = "garbage.in_use") -> None:
        super().__init__(code, message)


@dataclass(frozen=True, slots=True)
class Garbage:
    """Deleted rows and files, or those that a dry run found; `file_bytes` is the files' size."""

    rows: DeletedRows
    files: int
    file_bytes: int

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to delete."""
        return not self.files and self.rows == DeletedRows(0, 0, 0, 0, 0)


def collect_garbage(
    database: Database,
    bundles: BundleStore,
    *,
    keep_removed: timedelta,
    keep_log: timedelta,
    dry_run: bool = False,
) -> Garbage:
    """Delete garbage, or only count it with `dry_run`.

    Removed components and replaced revisions are kept for `keep_removed`, finished refreshes for
    `keep_log`. Raises GarbageError while a refresh runs, which may have downloaded a file that
    nothing refers to yet.
    """
    with database.connect() as connection, sole_lease(connection, BUNDLES_IN_USE) as alone:
        if not alone:
            raise GarbageError(
                "a refresh or another garbage collection is running; try again when it is done "
                "(library-pipeline status)"
            )
        with connection.transaction(force_rollback=dry_run):
            rows = delete_unneeded(connection, keep_removed=keep_removed, keep_log=keep_log)
            if dry_run:
                return Garbage(rows, *_files(connection, bundles, delete=False))
        found = Garbage(rows, *_files(connection, bundles, delete=True))
        bundles.sweep(_LEFTOVERS_AFTER_SECONDS)
        return found


def _files(
    connection: psycopg.Connection, bundles: BundleStore, *, delete: bool
) -> tuple[int, int]:
    needed = needed_files(connection)
    count = size = 0
    for file in bundles.digests():
        if bytes.fromhex(file.sha256) in needed:
            continue
        count, size = count + 1, size + file.size
        if delete:
            bundles.delete(file.sha256)
    return count, size
