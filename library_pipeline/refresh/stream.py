"""The phases of a chunk side by side: fetching, decoding, embedding, storing; bounded memory."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import psycopg

from library_pipeline.bundles.download import BundleDownloader
from library_pipeline.catalog.failures import ComponentError
from library_pipeline.catalog.refresh import Outcome
from library_pipeline.refresh.embedding import Batcher, Embedded, embed_batch
from library_pipeline.refresh.fetching import Fetcher
from library_pipeline.refresh.items import EncoderInUse, Equipment, Item, Report, Stage, Task
from library_pipeline.refresh.progress import Meter
from library_pipeline.store.chunks import Chunk
from library_pipeline.store.index import store_batch

BATCHES_AHEAD = 2


class ChunkStream:
    """One chunk under way; `reports` collects what has been stored.

    Statements of different threads must not meet in one transaction: `writing` is the storing
    thread's connection, `reading` the batcher's.
    """

    def __init__(
        self,
        equipment: Equipment,
        chunk: Chunk,
        stages: frozenset[Stage],
        encoders: Sequence[EncoderInUse],
        writing: psycopg.Connection,
        reading: psycopg.Connection,
        meter: Meter,
    ) -> None:
        self._equipment = equipment
        self._chunk = chunk
        self._stages = stages
        self._encoders = encoders
        self._writing = writing
        self._reading = reading
        self.meter = meter
        self.reports: list[Report] = []
        self._broken: dict[str, str] = {}

    def run(self, tasks: Sequence[Task]) -> None:
        """Run all phases until `tasks` are through, or the meter calls a halt."""
        # Forward passes stay in one thread: each that ran any keeps tens of megabytes for the next.
        with _decoders() as decoding, ThreadPoolExecutor(1, "embed") as embedding:
            try:
                asyncio.run(self._run(tasks, decoding, embedding))
            except ExceptionGroup as group:
                raise _first(group) from group

    async def _run(
        self, tasks: Sequence[Task], decoding: ThreadPoolExecutor, embedding: ThreadPoolExecutor
    ) -> None:
        tools = self._equipment
        fetched: asyncio.Queue[Item | None] = asyncio.Queue(BATCHES_AHEAD * tools.batch_size)
        decoded: asyncio.Queue[list[Item] | None] = asyncio.Queue(BATCHES_AHEAD)
        metering = asyncio.create_task(self.meter.run())
        try:
            async with BundleDownloader(tools.sources, tools.bundles) as downloader:
                fetcher = Fetcher(
                    downloader,
                    tools.bundles,
                    fetched,
                    self.meter,
                    download="bundle" in self._stages,
                )
                batcher = Batcher(
                    self._reading,
                    self._encoders,
                    decoding,
                    self.meter,
                    self._stages,
                )
                async with asyncio.TaskGroup() as group:
                    group.create_task(fetcher.run(tasks, tools.sources, self.meter.halt))
                    group.create_task(batcher.run(fetched, decoded, tools.batch_size))
                    group.create_task(self._embed_and_store(decoded, embedding))
        finally:
            metering.cancel()
            self.meter.flush()

    async def _embed_and_store(
        self, decoded: asyncio.Queue[list[Item] | None], pool: ThreadPoolExecutor
    ) -> None:
        """Embed a batch while the one before it is being stored."""
        loop = asyncio.get_running_loop()
        storing: asyncio.Task[None] | None = None
        while batch := await decoded.get():
            embedded = await loop.run_in_executor(pool, embed_batch, self._encoders, batch)
            good = self._without_broken(batch, embedded.broken)
            self.meter.add("embedded", len(good))
            if storing:
                await storing
            storing = asyncio.create_task(asyncio.to_thread(self._store, good, embedded))
        if storing:
            await storing

    def _without_broken(self, batch: Sequence[Item], broken: Mapping[str, str]) -> list[Item]:
        """Return the batch less the items whose screenshot got no usable vector.

        A later batch may show the same screenshot, which is decoded and embedded once a chunk.
        """
        self._broken.update(broken)
        for item in batch:
            if name := self._broken.get(item.bundle.screenshot_sha256):
                message = f"component {item.component_id}: the encoder {name} gave no finite vector"
                error = ComponentError("embed", "embed.not_finite", message)
                self.meter.failed(error.failure(item.component_id))
        return [item for item in batch if item.bundle.screenshot_sha256 not in self._broken]

    def _store(self, batch: Sequence[Item], embedded: Embedded) -> None:
        if not batch:
            return
        started = time.perf_counter()
        outcomes: dict[str, Outcome] = {item.component_id: _outcome(item) for item in batch}
        overtaken = store_batch(
            self._writing,
            refresh_id=self._chunk.refresh_id,
            bundles=[item.bundle for item in batch],
            screenshots=[item.decoded for item in batch if item.decoded],
            vectors=embedded.vectors,
            outcomes=outcomes,
            index="index" in self._stages,
        )
        share = (time.perf_counter() - started) * 1000 / len(batch)
        for item in batch:
            item.milliseconds["store"] = share
            if item.component_id not in overtaken:
                self.reports.append(_report(item, outcomes[item.component_id]))
        self.meter.add("stored", len(batch))


def _first(group: ExceptionGroup[Exception]) -> Exception:
    """Return what stopped the phases: one error ends them all, whatever groups it lies in."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first


def _outcome(item: Item) -> Outcome:
    """Say what the refresh did: a check that found nothing to repair leaves it unchanged.

    A vector by an encoder that nobody asks yet repairs nothing, unless the refresh is about that.
    """
    task = item.task
    if task.action == "embed":
        return "changed"
    if task.action in ("new", "changed"):
        return task.action
    digests = {kind: file.sha256 for kind, file in item.bundle.files.items()}
    same = task.indexed is not None and task.indexed.files == digests
    repaired = not task.force and any(encoder.active for encoder in item.embedded)
    return "unchanged" if same and not repaired else "changed"


def _report(item: Item, outcome: Outcome) -> Report:
    return Report(
        item.component_id,
        item.bundle.revision,
        outcome,
        item.bundle,
        item.downloaded_bytes,
        bool(item.embedded),
        item.milliseconds,
    )


def _decoders() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(8, os.cpu_count() or 1), thread_name_prefix="decode")
