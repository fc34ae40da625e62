"""One chunk of a refresh: fetch, decode, embed and store its components, with bounded memory."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import psycopg

from library_pipeline.bundles.download import BundleDownloader
from library_pipeline.catalog.component import Component
from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.catalog.errors import ComponentError
from library_pipeline.catalog.refresh import Outcome
from library_pipeline.database.connection import Database
from library_pipeline.index.write import indexed_bundles, indexed_files, known_bundles, store_batch
from library_pipeline.refresh.chunks import (
    Chunk,
    cancel_chunk,
    chunk_components,
    finish_chunk,
    put_back,
)
from library_pipeline.refresh.closing import cancellation_asked, finish_if_done
from library_pipeline.refresh.embedding import Batcher, BatchVectors, embed_batch
from library_pipeline.refresh.fetching import Fetcher
from library_pipeline.refresh.items import (
    ALL_STAGES,
    ChunkReport,
    Delivery,
    Equipment,
    Meter,
    Stage,
    Success,
    Task,
)
from library_pipeline.refresh.log import is_forced
from library_pipeline.refresh.outcomes import set_outcomes, set_reported, unreported
from library_pipeline.refresh.staging import components

BATCHES_AHEAD = 2


def refresh_chunk(
    equipment: Equipment, chunk: Chunk, *, stages: frozenset[Stage] = ALL_STAGES
) -> ChunkReport:
    """Bring a claimed chunk's components up to date and return the result.

    Each batch is one transaction, so stored components stay stored. A component's failure is
    recorded and returned; an error that stops the whole chunk, such as a lost database, is raised.
    After telling Dagster, call `close_chunk`.

    A reembed ignores `stages`: it only makes vectors of the configured encoders, from bundles in
    the bundle store.
    """
    connect = equipment.database.connect
    encoders = equipment.encoders
    reembeds = chunk.kind == "reembed"
    if reembeds:
        stages = frozenset[Stage]({"embedding"})
        encoders = tuple(each for each in encoders if each.configured)
    with connect() as writing, connect() as reading, connect() as noting:
        tasks = _plan_tasks(noting, chunk)
        meter = Meter(noting, chunk, equipment.stop)
        stream = _ChunkStream(equipment, chunk, stages, encoders, writing, reading, meter)
        stream.run(tasks)
        done = {success.component_id for success in stream.successes}
        untold = [
            Success(component_id, bundle.revision, outcome, bundle)
            for component_id, (outcome, bundle) in unreported(
                noting, chunk.refresh_id, chunk.number
            ).items()
            if component_id not in done
        ]
        news = [*stream.successes, *untold]
        if reembeds or "index" in stages:
            news = _drop_replaced(noting, news)
        return ChunkReport(
            tuple(stream.successes),
            tuple(untold),
            tuple(news),
            tuple(meter.failures),
            stopped=meter.halt.is_set() and bool(chunk_components(noting, chunk)),
        )


def close_chunk(database: Database, chunk: Chunk, report: ChunkReport) -> None:
    """Record that Dagster knows of the chunk's components, and close the chunk.

    A chunk that was stopped goes back to the pending ones, unless its refresh is cancelled.
    """
    told = [success.component_id for success in (*report.succeeded, *report.untold)]
    with database.connect() as connection:
        if told:
            set_reported(connection, chunk.refresh_id, told)
        if not report.stopped:
            finish_chunk(connection, chunk)
        elif cancellation_asked(connection, chunk.refresh_id):
            cancel_chunk(connection, chunk.refresh_id, chunk.number)
        else:
            put_back(connection, chunk)
        finish_if_done(connection, chunk.refresh_id)


def _plan_tasks(connection: psycopg.Connection, chunk: Chunk) -> list[Task]:
    """Return the tasks that are left in the chunk.

    A component that has left the manifest or the index since the plan gets the outcome
    `unchanged`; the next plan handles it.
    """
    actions = chunk_components(connection, chunk)
    ids = list(actions)
    if chunk.kind == "reembed":
        tasks = [
            Task(Component(component_id, bundle.revision, component_id, {}), "embed", known=bundle)
            for component_id, bundle in indexed_bundles(connection, ids).items()
        ]
    else:
        indexed, known = indexed_files(connection, ids), known_bundles(connection, ids)
        force = is_forced(connection, chunk.refresh_id)
        tasks = [
            Task(
                component,
                actions[component.component_id],
                indexed.get(component.component_id),
                known.get(component.component_id),
                force,
            )
            for component in components(connection, ids)
        ]
    gone = set(actions) - {task.component.component_id for task in tasks}
    set_outcomes(connection, chunk.refresh_id, dict.fromkeys(gone, "unchanged"))
    return tasks


def _drop_replaced(connection: psycopg.Connection, successes: Sequence[Success]) -> list[Success]:
    """Return the successes whose revision the index still shows.

    Another refresh may have stored a newer revision meanwhile, and tells Dagster of that one. If
    the older revision were told afterwards, Dagster would show it as the latest.
    """
    now = indexed_files(connection, [success.component_id for success in successes])
    return [
        success
        for success in successes
        if success.component_id in now and now[success.component_id].revision == success.revision
    ]


@dataclass(frozen=True, slots=True)
class _ChunkStream:
    """The phases of one chunk side by side; `successes` collects what has been stored.

    Statements of two threads must not meet in one transaction, so the storing thread has the
    connection `writing` and the batcher has `reading`.
    """

    equipment: Equipment
    chunk: Chunk
    stages: frozenset[Stage]
    encoders: Sequence[EncoderInfo]
    writing: psycopg.Connection
    reading: psycopg.Connection
    meter: Meter
    successes: list[Success] = field(default_factory=list[Success])
    broken: dict[str, str] = field(default_factory=dict[str, str])

    def run(self, tasks: Sequence[Task]) -> None:
        """Run all phases until `tasks` are done or the meter calls a halt."""
        decoding = ThreadPoolExecutor(min(8, os.cpu_count() or 1), thread_name_prefix="decode")
        # Forward passes stay in one thread: each thread that runs one keeps tens of megabytes.
        with decoding, ThreadPoolExecutor(1, "embed") as embedding:
            try:
                asyncio.run(self._run(tasks, decoding, embedding))
            except ExceptionGroup as group:
                raise _first_error(group) from group

    async def _run(
        self, tasks: Sequence[Task], decoding: ThreadPoolExecutor, embedding: ThreadPoolExecutor
    ) -> None:
        tools = self.equipment
        fetched: asyncio.Queue[Delivery | None] = asyncio.Queue(BATCHES_AHEAD * tools.batch_size)
        decoded: asyncio.Queue[list[Delivery] | None] = asyncio.Queue(BATCHES_AHEAD)
        metering = asyncio.create_task(self.meter.run())
        try:
            async with BundleDownloader(tools.sources, tools.bundles) as downloader:
                fetcher = Fetcher(
                    downloader,
                    tools.bundles,
                    fetched,
                    self.meter,
                    download="bundle" in self.stages,
                )
                batcher = Batcher(
                    self.reading, self.encoders, tools.load, decoding, self.meter, self.stages
                )
                async with asyncio.TaskGroup() as group:
                    group.create_task(fetcher.run(tasks, tools.sources, self.meter.halt))
                    group.create_task(batcher.run(fetched, decoded, tools.batch_size))
                    group.create_task(self._embed_and_store(decoded, embedding))
        finally:
            metering.cancel()
            self.meter.flush()

    async def _embed_and_store(
        self, decoded: asyncio.Queue[list[Delivery] | None], pool: ThreadPoolExecutor
    ) -> None:
        """Embed each batch while the batch before it is being stored."""
        loop = asyncio.get_running_loop()
        storing: asyncio.Task[None] | None = None
        while batch := await decoded.get():
            vectors = await loop.run_in_executor(
                pool, embed_batch, self.encoders, self.equipment.load, batch
            )
            good = self._without_broken(batch, vectors.broken)
            self.meter.add("embedded", len(good))
            if storing:
                await storing
            storing = asyncio.create_task(asyncio.to_thread(self._store, good, vectors))
        if storing:
            await storing

    def _without_broken(
        self, batch: Sequence[Delivery], broken: Mapping[str, str]
    ) -> list[Delivery]:
        """Return the batch without the components whose screenshot got no usable vector.

        A screenshot is embedded once a chunk, so later batches that show it fail as well.
        """
        self.broken.update(broken)
        for item in batch:
            if name := self.broken.get(item.bundle.screenshot_sha256):
                message = f"component {item.component_id}: the encoder {name} gave no finite vector"
                error = ComponentError("embed", "embed.not_finite", message)
                self.meter.failed(error.failure(item.component_id))
        return [item for item in batch if item.bundle.screenshot_sha256 not in self.broken]

    def _store(self, batch: Sequence[Delivery], vectors: BatchVectors) -> None:
        if not batch:
            return
        started = time.perf_counter()
        outcomes: dict[str, Outcome] = {item.component_id: _outcome(item) for item in batch}
        # One transaction: a component is searchable if and only if its outcome is on record.
        with self.writing.transaction():
            overtaken = store_batch(
                self.writing,
                bundles=[item.bundle for item in batch],
                screenshots=[item.decoded for item in batch if item.decoded],
                vectors=vectors.vectors,
                index="index" in self.stages,
            )
            outcomes |= dict.fromkeys(overtaken, "unchanged")
            set_outcomes(self.writing, self.chunk.refresh_id, outcomes)
        share = (time.perf_counter() - started) * 1000 / len(batch)
        for item in batch:
            item.milliseconds["store"] = share
            if item.component_id not in overtaken:
                self.successes.append(
                    Success(
                        item.component_id,
                        item.bundle.revision,
                        outcomes[item.component_id],
                        item.bundle,
                        item.downloaded_bytes,
                        bool(item.embedded),
                        item.milliseconds,
                    )
                )
        self.meter.add("stored", len(batch))


def _first_error(group: ExceptionGroup[Exception]) -> Exception:
    """Return the error that stopped the phases, out of its nested groups."""
    first = group.exceptions[0]
    return _first_error(first) if isinstance(first, ExceptionGroup) else first


def _outcome(item: Delivery) -> Outcome:
    """Return what the refresh did: a check that repaired nothing leaves a component unchanged.

    A new vector of an active encoder is a repair. A new vector of a candidate is not, as search
    does not use it yet.
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
