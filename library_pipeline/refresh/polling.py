"""Polling: has a source changed since its manifest was read?"""

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

# Polling takes at most a tenth of the time, even of a source that has to be read whole.
_REST = 9


def changed_source(connection: psycopg.Connection, sources: Sequence[Source]) -> str | None:
    """Return the name of the first source that has changed, None if none has.

    A source that cannot be asked counts as unchanged. Raises ManifestError if no source can be
    asked.
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
    # A sync token may expire; the newer one stands for the same manifest.
    if poll.not_modified and poll.etag and poll.etag != etag:
        renew_etag(connection, source.name, etag, poll.etag)
    return bool(poll)


def _rests(connection: psycopg.Connection, source: Source) -> bool:
    """Return whether the last poll took so long that the next one is not due yet."""
    last = last_poll(connection, source.name)
    if last is None:
        return False
    return datetime.now(UTC) < last.at + timedelta(seconds=_REST * last.took_seconds)
