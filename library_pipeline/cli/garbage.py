"""`library-pipeline gc`: say what can go, ask, delete it."""

from __future__ import annotations

from datetime import timedelta

from library_pipeline.bundles.store import BundleStore
from library_pipeline.cli.console import confirm, console
from library_pipeline.refresh.garbage import Garbage, collect_garbage
from library_pipeline.settings import load_settings
from library_pipeline.store.database import Database, open_database

MEGABYTE = 1024 * 1024


def delete_garbage(*, yes: bool, dry_run: bool) -> None:
    """Count what nothing refers to any more, and delete it once a person agrees."""
    settings = load_settings()
    bundles = BundleStore(settings.bundle_root)
    with open_database(settings) as database:
        found = _collect(database, bundles, dry_run=True)
        if found.nothing:
            console.print(
                "Nothing to delete. Removed components are kept for "
                f"{settings.refresh.keep_removed_days:g} days, finished refreshes for "
                f"{settings.refresh.keep_log_days:g}."
            )
            return
        console.print(_told(found))
        if dry_run:
            return
        confirm("Delete this for good?", yes=yes)
        console.print(f"Deleted: {_told(_collect(database, bundles, dry_run=False))}")


def _collect(database: Database, bundles: BundleStore, *, dry_run: bool) -> Garbage:
    settings = load_settings().refresh
    return collect_garbage(
        database,
        bundles,
        keep_removed=timedelta(days=settings.keep_removed_days),
        keep_log=timedelta(days=settings.keep_log_days),
        dry_run=dry_run,
    )


def _told(found: Garbage) -> str:
    rows = found.rows
    return (
        f"{rows.components} removed components, {rows.bundles} bundles, "
        f"{found.files} files ({found.file_bytes / MEGABYTE:.1f} MB), "
        f"{rows.screenshots} screenshots, {rows.vectors} vectors, "
        f"{rows.refreshes} old refreshes"
    )
