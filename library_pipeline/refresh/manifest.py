"""Bringing the manifest up to date: what changed in the CMS where it can tell, else all of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import psycopg
import structlog

from library_pipeline.sources.http_cms import CmsConnection, HttpCms, NotModified
from library_pipeline.sources.manifest import ManifestProblem
from library_pipeline.store.database import Database
from library_pipeline.store.manifest import (
    confirm_manifest,
    current_manifest,
    load_manifest,
)

log = structlog.get_logger(__name__)

# Some updates are listed a while after the time they bear, when their transaction commits or a
# cache expires; besides, clocks of a CMS of several machines differ. An update that comes twice
# costs next to nothing.
_OVERLAP = timedelta(seconds=60)


def load_current_manifest(
    database: Database, cms: CmsConnection, *, conditional: bool
) -> int | None:
    """Bring the manifest up to date with the CMS; return its entries, None if it is unchanged.

    Unless `conditional`, all of it is read, whatever is known. Raises ManifestError, and changes
    nothing, if any page of it cannot be had or read.
    """
    with database.connect() as connection, HttpCms(cms) as source:
        known = current_manifest(connection) if conditional else None
        if known is None or known.source != cms.base_url:
            return _read_whole(connection, cms, source)
        try:
            if not known.deltas or known.read_at is None:
                return _read_whole(connection, cms, source, known.etag)
            entries = _read_delta(connection, cms, source, known.etag, known.read_at - _OVERLAP)
        except NotModified:
            confirm_manifest(connection)
            return None
        if entries is None:
            log.info("the CMS's updates do not add up; its manifest is read whole")
            return _read_whole(connection, cms, source)
        return entries


def _read_whole(
    connection: psycopg.Connection, cms: CmsConnection, source: HttpCms, etag: str | None = None
) -> int:
    """Make the manifest that `source` lists the current one; raises NotModified if `etag` is it."""
    with load_manifest(connection) as load:
        totals: set[int | None] = set()
        for page in source.pages(etag):
            load.add(page.entries)
            totals.add(page.total)
        total = _agreed(totals)
        load.commit(source=cms.base_url, etag=source.etag, read_at=source.read_at, total=total)
    if load.short(total):
        log.warning(
            "the CMS lists fewer components than its total; nothing will be removed",
            listed=load.entries,
            total=total,
        )
    for problem in load.unidentified:
        _warn_of(problem)
    return load.entries


def _read_delta(
    connection: psycopg.Connection,
    cms: CmsConnection,
    source: HttpCms,
    etag: str | None,
    asked: datetime,
) -> int | None:
    """Put the updates since `asked` over the current manifest, whose ETag is `etag`.

    Returns how many entries it then has, None if the updates cannot be trusted.
    Raises NotModified if there are none.
    """
    with load_manifest(connection) as load:
        totals: set[int | None] = set()
        for page in source.pages(etag, asked):
            totals.add(page.total)
            if page.since is None or page.since > asked or _agreed(totals) is None:
                return None
            load.add(page.entries)
        total = _agreed(totals)
        if total is None or source.read_at is None:
            return None
        fits = load.commit_delta(
            source=cms.base_url, etag=source.etag, read_at=source.read_at, total=total
        )
    return total if fits else None


def _agreed(totals: Iterable[int | None]) -> int | None:
    """Return the total that all pages gave, None if one gave none or another."""
    first, *others = {*totals} or {None}
    return None if others else first


def _warn_of(problem: ManifestProblem) -> None:
    log.warning(
        "manifest entry without a usable id; nothing will be removed",
        position=problem.position,
        field=problem.field,
        reason=problem.message,
    )
