"""Counts and failures of a running chunk, written to PostgreSQL a few times a second."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import Literal

import psycopg
import structlog

from library_pipeline.catalog.failures import Failure
from library_pipeline.store.chunks import Chunk, add_progress
from library_pipeline.store.closing import cancellation_asked
from library_pipeline.store.outcomes import record_failures

FLUSH_SECONDS = 0.3

log = structlog.get_logger(__name__)


class Meter:
    """Collects counts and failures in the event loop and writes them to the database regularly.

    `halt` is set when the chunk must not begin more components: `stop` is set, or the refresh is
    cancelled.
    """

    def __init__(self, connection: psycopg.Connection, chunk: Chunk, stop: threading.Event) -> None:
        self._connection = connection
        self._chunk = chunk
        self._stop = stop
        self.halt = threading.Event()
        self._counts: Counter[str] = Counter()
        self._unwritten: list[Failure] = []
        self.failures: list[Failure] = []

    def add(self, phase: Literal["downloaded", "embedded", "stored"], count: int = 1) -> None:
        """Count components that have passed a phase."""
        self._counts[phase] += count

    def failed(self, failure: Failure) -> None:
        """Count and log the failure of a component."""
        log.warning(
            "component failed",
            refresh=self._chunk.refresh_id,
            component=failure.component_id,
            phase=failure.phase,
            code=failure.code,
            reason=failure.message,
        )
        self._counts["failed"] += 1
        self._unwritten.append(failure)
        self.failures.append(failure)

    async def run(self) -> None:
        """Write, and check for a stop, every `FLUSH_SECONDS` until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await asyncio.to_thread(self._exchange)

    def _exchange(self) -> None:
        self.flush()
        if self._stop.is_set() or cancellation_asked(self._connection, self._chunk.refresh_id):
            self.halt.set()

    def flush(self) -> None:
        """Write the counts and failures that are not written yet."""
        counts, self._counts = self._counts, Counter()
        failures, self._unwritten = self._unwritten, []
        if failures:
            record_failures(
                self._connection,
                self._chunk.refresh_id,
                failures,
                reembedding=self._chunk.kind == "reembed",
            )
        if counts:
            add_progress(self._connection, self._chunk, **counts)
