"""The items that flow through a chunk, and the meter of its progress."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import psycopg
import structlog
from numpy.typing import NDArray

from library_pipeline.bundles.store import BundleStore
from library_pipeline.catalog.component import Bundle, Component
from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.catalog.errors import Failure
from library_pipeline.catalog.refresh import Action, Outcome
from library_pipeline.database.connection import Database
from library_pipeline.encoders import Encoder
from library_pipeline.index.write import DecodedScreenshot, IndexedFiles
from library_pipeline.refresh.chunks import Chunk, add_progress
from library_pipeline.refresh.closing import cancellation_asked
from library_pipeline.refresh.outcomes import record_failures
from library_pipeline.sources.source import Source

Stage = Literal["bundle", "embedding", "index"]
FLUSH_SECONDS = 0.3
ALL_STAGES: frozenset[Stage] = frozenset({"bundle", "embedding", "index"})


log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Equipment:
    """The tools of a chunk.

    `encoders` are the active and the configured ones; `load` returns one of them ready to embed,
    and is called only when something has to be embedded. `batch_size` screenshots are decoded and
    embedded at a time. Setting `stop` ends a chunk early: started work is finished, and no further
    component is started.
    """

    database: Database
    bundles: BundleStore
    sources: tuple[Source, ...]
    encoders: tuple[EncoderInfo, ...]
    load: Callable[[EncoderInfo], Encoder]
    batch_size: int = 32
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class Task:
    """One component to refresh: its manifest entry, and its known state.

    `indexed` is from the index and `known` from the bundle records; `force` ignores both.
    """

    component: Component
    action: Action
    indexed: IndexedFiles | None = None
    known: Bundle | None = None
    force: bool = False


@dataclass(slots=True)
class Delivery:
    """A task whose bundle has arrived; each later phase fills in its part.

    `pixels` holds the preprocessed screenshot for each encoder that has no vector of it yet, and
    `embedded` the encoders that made one in this chunk. `milliseconds` are by phase.
    """

    task: Task
    bundle: Bundle
    screenshot: bytes
    downloaded_bytes: int
    milliseconds: dict[str, float] = field(default_factory=dict)
    decoded: DecodedScreenshot | None = None
    pixels: dict[EncoderInfo, NDArray[np.uint8]] = field(default_factory=dict)
    embedded: set[EncoderInfo] = field(default_factory=set)

    @property
    def component_id(self) -> str:
        """Id of the component."""
        return self.task.component.component_id


@dataclass(frozen=True, slots=True)
class Success:
    """A component that a chunk has brought up to date.

    A success that an earlier run of the chunk stored has no bytes and no times.
    """

    component_id: str
    revision: str
    outcome: Outcome
    bundle: Bundle
    downloaded_bytes: int = 0
    embedded: bool = False
    milliseconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChunkReport:
    """The result of one run of a chunk; `stopped` if it did not start every component.

    `succeeded` and `failures` are of this run. An earlier run of the chunk may have stored
    components and died before it told Dagster: those are `untold`. `news` is what Dagster has to
    be told now, from both: all but what another refresh has replaced since.
    """

    succeeded: tuple[Success, ...]
    untold: tuple[Success, ...]
    news: tuple[Success, ...]
    failures: tuple[Failure, ...]
    stopped: bool = False


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
