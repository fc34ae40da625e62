"""Garbage collection: files and rows of components removed long ago, and old records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import psycopg

from library_pipeline.bundles.store import BundleStore
from library_pipeline.catalog.errors import LibraryError
from library_pipeline.store.database import Database
from library_pipeline.store.garbage import Rows, delete_unneeded, needed_files
from library_pipeline.store.leases import BUNDLES_IN_USE, sole_lease

_LEFTOVERS_AFTER_SECONDS = 3600


class GarbageError(LibraryError):
    """Garbage cannot be collected now."""

    def __init__(self, message: str, *, code: str = "garbage.in_use") -> None:
        super().__init__(code, message)


@dataclass(frozen=True, slots=True)
class Garbage:
    """What was deleted, or would be deleted; `file_bytes` is the size of the `files`."""

    rows: Rows
    files: int
    file_bytes: int

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to delete."""
        return not self.files and self.rows == Rows(0, 0, 0, 0, 0)


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
                "a refresh is at work, or another garbage collection; try again when it is done "
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
