"""Reading the manifests of the sources, in whole or only their changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import psycopg
import structlog

from library_pipeline.catalog.errors import ManifestError
from library_pipeline.database.connection import Database
from library_pipeline.refresh.manifest_state import (
    confirm_manifest,
    current_manifest,
    forget_other_sources,
    record_unreadable,
)
from library_pipeline.refresh.staging import load_manifest
from library_pipeline.sources.source import ListingShifted, NotModified, OpenSource, Source

log = structlog.get_logger(__name__)

# A CMS may list an update later than its timestamp, when a transaction commits or a cache expires,
# and the clocks of its machines may differ. Reading an update twice costs next to nothing.
_OVERLAP = timedelta(seconds=60)
_READINGS = 3


def load_current_manifests(
    database: Database, sources: Sequence[Source], *, conditional: bool
) -> dict[str, int | None]:
    """Bring the manifests up to date with their sources.

    Returns the number of entries by the name of each source that was read, None if unchanged.

    With `conditional`, a source that confirms its ETag is not read again. A source that cannot be
    read keeps its manifest, its error is recorded, and the others are read. Raises ManifestError
    if no source can be read.
    """
    entries: dict[str, int | None] = {}
    failed: list[ManifestError] = []
    with database.connect() as connection:
        forget_other_sources(connection, [source.name for source in sources])
        for source in sources:
            try:
                entries[source.name] = _load(connection, source, conditional=conditional)
            except ManifestError as error:
                record_unreadable(connection, source.name, error.message)
                log.warning("a source cannot be read", source=source.name, reason=error.message)
                failed.append(error)
    if failed and not entries:
        raise failed[0]
    return entries


def _load(connection: psycopg.Connection, source: Source, *, conditional: bool) -> int | None:
    """Return the number of entries of one source's manifest, None if it is unchanged."""
    with source.open() as opened:
        known = current_manifest(connection, source.name) if conditional else None
        try:
            if known is None or known.source != source.identity:
                return _read_whole(connection, source, opened)
            if known.deltas and known.read_at is not None:
                asked = known.read_at - _OVERLAP
                entries = _read_delta(connection, source, opened, known.etag, asked)
                if entries is not None:
                    return entries
                log.info("the updates do not add up; all is read", source=source.name)
            return _read_whole(connection, source, opened, known.etag)
        except NotModified:
            confirm_manifest(connection, source.name)
            return None


def _read_whole(
    connection: psycopg.Connection, source: Source, opened: OpenSource, etag: str | None = None
) -> int:
    """Make the listing the current manifest; return the number of its entries.

    A listing that shifts while it is read is read again, a few times. Raises NotModified if `etag`
    is still current.
    """
    for attempt in range(_READINGS):
        try:
            return _read_once(connection, source, opened, etag)
        except ListingShifted as shifted:
            if attempt == _READINGS - 1:
                raise
            log.info("the listing shifted", source=source.name, reason=shifted.message)
    raise AssertionError("unreachable")


def _read_once(
    connection: psycopg.Connection, source: Source, opened: OpenSource, etag: str | None
) -> int:
    with load_manifest(connection, source.name) as load:
        totals: set[int | None] = set()
        for page in opened.pages(etag):
            load.add(page.entries)
            totals.add(page.total)
        total = _agreed(totals)
        load.commit(source=source.identity, etag=opened.etag, read_at=opened.read_at, total=total)
    if load.short(total):
        log.warning(
            "the CMS lists fewer components than its total; nothing will be removed",
            source=source.name,
            listed=load.entries,
            total=total,
        )
    for problem in load.unidentified:
        log.warning(
            "manifest entry without a usable id; nothing will be removed",
            position=problem.position,
            field=problem.field,
            reason=problem.message,
        )
    return load.entries


def _read_delta(
    connection: psycopg.Connection,
    source: Source,
    opened: OpenSource,
    etag: str | None,
    asked: datetime,
) -> int | None:
    """Apply the updates since `asked` to the current manifest, whose ETag is `etag`.

    Returns the number of its entries, None if the updates do not add up. Raises NotModified if
    there are none.
    """
    with suppress(ListingShifted), load_manifest(connection, source.name) as load:
        totals: set[int | None] = set()
        for page in opened.pages(etag, asked):
            totals.add(page.total)
            if page.since is None or page.since > asked or _agreed(totals) is None:
                return None
            load.add(page.entries)
        total = _agreed(totals)
        if total is None or opened.read_at is None:
            return None
        fits = load.commit_delta(
            source=source.identity, etag=opened.etag, read_at=opened.read_at, total=total
        )
        return total if fits else None
    return None  # the listing shifted between two pages of updates


def _agreed(totals: Iterable[int | None]) -> int | None:
    """Return the total that all pages gave, None if they differ or one gave none."""
    first, *others = {*totals} or {None}
    return None if others else first
