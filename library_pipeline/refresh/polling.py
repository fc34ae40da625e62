"""Whether a source has changed since its manifest was read: what polls ask, and how often."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import psycopg
import structlog

from library_pipeline.sources.manifest_page import ManifestError
from library_pipeline.sources.source import Source
from library_pipeline.store.manifest_state import (
    confirm_readable,
    current_manifest,
    last_poll,
    record_poll,
    record_unreadable,
    renew_etag,
)

log = structlog.get_logger(__name__)

# A source that has to be read whole to be compared is asked for a tenth of the time at most.
_REST = 9


def changed_source(connection: psycopg.Connection, sources: Sequence[Source]) -> str | None:
    """Return the first source that does not list what it did, None if all do.

    One that cannot be asked keeps no other from being asked, and counts as unchanged; if none can,
    its ManifestError is raised.
    """
    failed: list[ManifestError] = []
    for source in sources:
        if _rests(connection, source):
            continue
        started = time.perf_counter()
        try:
            changed = _changed(connection, source)
        except ManifestError as error:
            log.warning("a source cannot be asked", source=source.name, reason=error.message)
            record_unreadable(connection, source.name, error.message)
            record_poll(connection, source.name, time.perf_counter() - started)
            failed.append(error)
            continue
        confirm_readable(connection, source.name)
        record_poll(connection, source.name, time.perf_counter() - started)
        if changed:
            return source.name
    if failed and len(failed) == len(sources):
        raise failed[0]
    return None


def _changed(connection: psycopg.Connection, source: Source) -> bool:
    known = current_manifest(connection, source.name)
    etag = known.etag if known and known.source == source.identity else None
    with source.open() as opened:
        poll = opened.changed(etag)
    # A sync token may be good for a while only; the newer one says the same.
    if poll.not_modified and poll.etag and poll.etag != etag:
        renew_etag(connection, source.name, etag, poll.etag)
    return bool(poll)


def _rests(connection: psycopg.Connection, source: Source) -> bool:
    """Whether asking took so long that it is not done again yet."""
    last = last_poll(connection, source.name)
    if last is None:
        return False
    return datetime.now(UTC) < last.at + timedelta(seconds=_REST * last.took_seconds)
