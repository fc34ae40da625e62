"""Second phase: decode what has no vector yet, in threads, and embed it batch by batch."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor

import numpy as np
import psycopg

from library_pipeline.catalog.failures import ComponentError
from library_pipeline.encoders import Encoder, ImageError
from library_pipeline.encoders.image import read_image
from library_pipeline.encoders.thumbnail import thumbnail
from library_pipeline.refresh.items import Item, Stage
from library_pipeline.refresh.progress import Meter
from library_pipeline.store.embeddings import RegisteredEncoder, embedded_screenshots
from library_pipeline.store.index import Screenshot

LINGER_SECONDS = 0.02
# A thread more costs the time of many small pictures: all threads take turns for each.
_BYTES_A_THREAD = 128 * 1024
_MOST_THREADS = min(8, os.cpu_count() or 1)


class Batcher:
    """Gathers items into batches, each with the pixels of the screenshots it must embed.

    A screenshot is decoded once a chunk, whoever shows it: later items with the same digest
    share the first one's fate.
    """

    def __init__(
        self,
        connection: psycopg.Connection,
        registered: RegisteredEncoder,
        load_encoder: Callable[[], Encoder],
        pool: Executor,
        meter: Meter,
        stages: frozenset[Stage],
    ) -> None:
        self._connection = connection
        self._registered = registered
        self._load_encoder = load_encoder
        self._pool = pool
        self._meter = meter
        self._embeds = "embedding" in stages
        self._needs_vector = "index" in stages and not self._embeds
        self._decoded: set[str] = set()
        self._unreadable: dict[str, ImageError] = {}

    async def run(
        self,
        incoming: asyncio.Queue[Item | None],
        outgoing: asyncio.Queue[list[Item] | None],
        size: int,
    ) -> None:
        """Batch everything from `incoming` until it is closed, then close `outgoing`."""
        while batch := await _gather(incoming, size):
            ready = await self._decode_batch(batch)
            if ready:
                await outgoing.put(ready)
        await outgoing.put(None)

    async def _decode_batch(self, batch: Sequence[Item]) -> list[Item]:
        present = await self._present({item.bundle.screenshot_sha256 for item in batch})
        fresh: list[Item] = []
        for item in batch:
            digest = item.bundle.screenshot_sha256
            again = item.task.force and self._embeds
            if digest in self._decoded or (digest in present and not again):
                continue
            self._decoded.add(digest)
            fresh.append(item)
        await self._decode_all(fresh)
        ready: list[Item] = []
        for item in batch:
            item.screenshot = b""  # the bytes are in the store; only the pixels go on
            if error := self._error(item, present):
                self._meter.failed(error.failure(item.component_id))
            else:
                ready.append(item)
        return ready

    def _error(self, item: Item, present: set[str]) -> ComponentError | None:
        """Return why the item goes no further, if so."""
        digest = item.bundle.screenshot_sha256
        if unreadable := self._unreadable.get(digest):
            # The code says what the picture is; the phase says where it showed.
            message = f"component {item.component_id}: screenshot: {unreadable}"
            return ComponentError("decode", unreadable.code, message)
        if self._needs_vector and digest not in present:
            return ComponentError(
                "embed",
                "embed.no_vector",
                f"component {item.component_id}: screenshot {digest[:12]} has not been embedded; "
                "materialize component_embedding as well",
            )
        return None

    async def _present(self, digests: set[str]) -> set[str]:
        return await asyncio.to_thread(
            embedded_screenshots, self._connection, self._registered.id, digests
        )

    async def _decode_all(self, fresh: Sequence[Item]) -> None:
        """Decode in as few threads as will do; each of them takes the next item when it is free."""
        waiting = iter(fresh)
        size = sum(len(item.screenshot) for item in fresh)
        threads = min(len(fresh), 1 + size // _BYTES_A_THREAD, _MOST_THREADS)
        loop = asyncio.get_running_loop()
        await asyncio.gather(
            *(loop.run_in_executor(self._pool, self._decode_from, waiting) for _ in range(threads))
        )

    def _decode_from(self, waiting: Iterator[Item]) -> None:
        for item in waiting:
            self._decode(item)

    def _decode(self, item: Item) -> None:
        started = time.perf_counter()
        digest = item.bundle.screenshot_sha256
        encoder = self._load_encoder() if self._embeds else None
        try:
            image = read_image(item.screenshot)
            item.decoded = Screenshot(
                sha256=digest,
                format=_format(item.screenshot),
                width=image.width,
                height=image.height,
                size=len(item.screenshot),
                thumbnail=thumbnail(image),
            )
            item.pixels = encoder.preprocess(image) if encoder else None
        except ImageError as error:
            self._unreadable[digest] = error
        except Exception as error:  # whatever one picture does to a decoder, others go on
            reason = f"it cannot be decoded ({type(error).__name__}: {error})"
            self._unreadable[digest] = ImageError("image.undecodable", reason)
        item.milliseconds["decode"] = (time.perf_counter() - started) * 1000


def embed_batch(encoder: Callable[[], Encoder], batch: Sequence[Item]) -> dict[str, np.ndarray]:
    """Return (dim,) float32 vectors by screenshot digest, for the items that carry pixels.

    A vector that is not finite is left out; its item stays as not embedded.
    """
    fresh = [item for item in batch if item.pixels is not None]
    if not fresh:
        return {}
    started = time.perf_counter()
    vectors = encoder().embed_pixels([item.pixels for item in fresh if item.pixels is not None])
    share = (time.perf_counter() - started) * 1000 / len(fresh)
    result: dict[str, np.ndarray] = {}
    finite: list[bool] = np.all(np.isfinite(vectors), axis=1).tolist()
    for item, vector, good in zip(fresh, vectors, finite, strict=True):
        item.pixels = None
        item.milliseconds["embed"] = share
        if good:
            item.embedded = True
            result[item.bundle.screenshot_sha256] = vector
    return result


async def _gather(incoming: asyncio.Queue[Item | None], size: int) -> list[Item]:
    """Wait for an item, then take what follows within a moment, at most `size`; [] at the end."""
    batch: list[Item] = []
    while len(batch) < size:
        try:
            async with asyncio.timeout(LINGER_SECONDS if batch else None):
                item = await incoming.get()
        except TimeoutError:
            break
        if item is None:
            incoming.put_nowait(None)  # seen again by the next call, which then returns []
            break
        batch.append(item)
    return batch


def _format(data: bytes) -> str:
    if data.startswith(b"\x89PNG"):
        return "png"
    if data.startswith(b"\xff\xd8"):
        return "jpeg"
    return "gif" if data.startswith(b"GIF8") else "webp"
