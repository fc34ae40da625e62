"""`library-pipeline encoders` and `gc`: switching encoders, and deleting unused data."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

from library_pipeline.bundles.store import BundleStore
from library_pipeline.cli.console import confirm, console, print_json
from library_pipeline.database.connection import Database, open_database
from library_pipeline.index.activation import (
    EncoderCoverage,
    activate_complete,
    encoder_coverage,
    encoder_coverages,
    find_encoder,
    free_encoder,
    make_active,
)
from library_pipeline.refresh.garbage import Garbage, collect_garbage
from library_pipeline.settings import Settings, load_settings


def list_encoders(*, as_json: bool) -> None:
    """Print every encoder with its coverage, dimension, fingerprint and size."""
    with open_database(load_settings()) as database, database.connect() as connection:
        found = encoder_coverages(connection)
    if as_json:
        print_json([dataclasses.asdict(each) | {"share": each.share} for each in found])
        return
    if not found:
        console.print("No encoder has been used yet: library-pipeline refresh")
    for each in found:
        model = f"{each.model}@{each.revision}" if each.revision else each.model
        percent = int(each.share * 1000) / 10  # rounded down: only full coverage is 100 %
        covered = f"{each.covered} of {each.components} ({percent:.1f} %)"
        console.print(
            f"{each.name}  {each.state}  {each.fingerprint}  {covered}  {_size(each.size)}",
            markup=False,
            soft_wrap=True,
        )
        console.print(
            f"    {model}, {each.dim} dimensions, framing {each.framing}, "
            f"precision {each.precision}",
            markup=False,
            soft_wrap=True,
        )


def activate_encoders(name: str | None, fingerprint: str | None, *, incomplete: bool) -> None:
    """Make search use one encoder or, without a name, every candidate with full coverage.

    `incomplete` allows an encoder that does not cover all components.
    """
    with open_database(load_settings()) as database, database.connect() as connection:
        if name is None:
            activated = activate_complete(connection)
            for encoder in activated:
                console.print(f"search now uses {encoder.name} ({encoder.fingerprint})")
            if not activated:
                console.print("No candidate covers all components: library-pipeline encoders list")
            return
        encoder = find_encoder(connection, name, fingerprint)
        if encoder.active:
            console.print(f"search already uses {encoder.name} ({encoder.fingerprint})")
            return
        covered = make_active(connection, encoder, incomplete=incomplete)
        console.print(
            f"search now uses {_describe(covered)}; it covers {covered.covered} of "
            f"{covered.components} components",
            markup=False,
        )


def drop_encoder(name: str, fingerprint: str, *, yes: bool) -> None:
    """Delete an encoder that search does not use, after a confirmation."""
    with open_database(load_settings()) as database, database.connect() as connection:
        encoder = find_encoder(connection, name, fingerprint)
        found = encoder_coverage(connection, encoder)
        if not encoder.active:
            vectors = f"the {found.embedded} vectors of {_describe(found)}, {_size(found.size)}"
            confirm(f"Delete {vectors}?", yes=yes)
        free_encoder(connection, encoder)
    console.print(f"deleted {_describe(found)} with {found.embedded} vectors", markup=False)


def delete_garbage(*, yes: bool, dry_run: bool) -> None:
    """Count the unused data, and delete it after a confirmation."""
    settings = load_settings()
    with open_database(settings) as database:
        found = _collect_garbage(settings, database, dry_run=True)
        if found.nothing:
            console.print(
                "Nothing to delete. Removed components are kept for "
                f"{settings.refresh.keep_removed_days:g} days, finished refreshes for "
                f"{settings.refresh.keep_log_days:g}."
            )
            return
        console.print(_count_garbage(found))
        if dry_run:
            return
        confirm("Delete this for good?", yes=yes)
        deleted = _collect_garbage(settings, database, dry_run=False)
        console.print(f"Deleted: {_count_garbage(deleted)}")


def _collect_garbage(settings: Settings, database: Database, *, dry_run: bool) -> Garbage:
    return collect_garbage(
        database,
        BundleStore(settings.bundle_root),
        keep_removed=timedelta(days=settings.refresh.keep_removed_days),
        keep_log=timedelta(days=settings.refresh.keep_log_days),
        dry_run=dry_run,
    )


def _count_garbage(found: Garbage) -> str:
    rows = found.rows
    return (
        f"{rows.components} removed components, {rows.bundles} bundles, "
        f"{found.files} files ({_size(found.file_bytes)}), "
        f"{rows.screenshots} screenshots, {rows.vectors} vectors, "
        f"{rows.refreshes} old refreshes"
    )


def _describe(encoder: EncoderCoverage) -> str:
    return f"{encoder.name} {encoder.fingerprint} ({encoder.model})"


def _size(size: float) -> str:
    return f"{size / 2**20:.1f} MB"
