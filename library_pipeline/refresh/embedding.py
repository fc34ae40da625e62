"""Second phase: decode what has no vector yet, in threads, and embed it batch by batch."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

import numpy as np
import psycopg

from library_pipeline.catalog.failures import ComponentError
from library_pipeline.encoders import ImageError
from library_pipeline.encoders.image import read_image
from library_pipeline.encoders.thumbnail import thumbnail
from library_pipeline.refresh.items import EncoderInUse, Item, Stage
from library_pipeline.refresh.progress import Meter
from library_pipeline.store.embeddings import RegisteredEncoder, embedded_screenshots
from library_pipeline.store.index import Screenshot

LINGER_SECONDS = 0.02
# A thread more costs the time of many small pictures: all threads take turns for each.
_BYTES_A_THREAD = 128 * 1024
_MOST_THREADS = min(8, os.cpu_count() or 1)


class Batcher:
    """Gathers items into batches, each with the pixels of the screenshots it must embed.

    A screenshot is decoded once a chunk, for all `encoders` and whoever shows it: later items with
    the same digest share the first one's fate.
    """

    def __init__(
        self,
        connection: psycopg.Connection,
        encoders: Sequence[EncoderInUse],
        pool: Executor,
        meter: Meter,
        stages: frozenset[Stage],
    ) -> None:
        self._connection = connection
        self._pool = pool
        self._meter = meter
        self._embeds = "embedding" in stages
        self._needs_vectors = "index" in stages and not self._embeds
        # A component is searchable without the vectors of encoders that nobody asks yet.
        self._encoders = [each for each in encoders if self._embeds or each.registered.active]
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
        lacking = await asyncio.to_thread(
            self._lacking, {item.bundle.screenshot_sha256 for item in batch}
        )
        fresh: list[tuple[Item, list[EncoderInUse]]] = []
        for item in batch:
            digest = item.bundle.screenshot_sha256
            again = item.task.force and self._embeds
            wanted = self._encoders if again else lacking[digest]
            if wanted and digest not in self._decoded:
                self._decoded.add(digest)
                fresh.append((item, wanted))
        await self._decode_all(fresh)
        ready: list[Item] = []
        for item in batch:
            item.screenshot = b""  # the bytes are in the store; only the pixels go on
            if error := self._error(item, lacking[item.bundle.screenshot_sha256]):
                self._meter.failed(error.failure(item.component_id))
            else:
                ready.append(item)
        return ready

    def _error(self, item: Item, lacking: Sequence[EncoderInUse]) -> ComponentError | None:
        """Return why the item goes no further, if so."""
        digest = item.bundle.screenshot_sha256
        if unreadable := self._unreadable.get(digest):
            # The code says what the picture is; the phase says where it showed.
            message = f"component {item.component_id}: screenshot: {unreadable}"
            return ComponentError("decode", unreadable.code, message)
        if self._needs_vectors and lacking:
            return ComponentError(
                "embed",
                "embed.no_vector",
                f"component {item.component_id}: screenshot {digest[:12]} has not been embedded by "
                f"{_names(lacking)}; materialize component_embedding as well",
            )
        return None

    def _lacking(self, digests: set[str]) -> dict[str, list[EncoderInUse]]:
        """Return which encoders have no vector of each screenshot."""
        lacking: dict[str, list[EncoderInUse]] = {digest: [] for digest in digests}
        for encoder in self._encoders:
            known = embedded_screenshots(self._connection, encoder.registered.id, digests)
            for digest in digests - known:
                lacking[digest].append(encoder)
        return lacking

    async def _decode_all(self, fresh: Sequence[tuple[Item, list[EncoderInUse]]]) -> None:
        """Decode in as few threads as will do; each of them takes the next item when it is free."""
        waiting = iter(fresh)
        size = sum(len(item.screenshot) for item, _ in fresh)
        threads = min(len(fresh), 1 + size // _BYTES_A_THREAD, _MOST_THREADS)
        loop = asyncio.get_running_loop()
        await asyncio.gather(
            *(loop.run_in_executor(self._pool, self._decode_from, waiting) for _ in range(threads))
        )

    def _decode_from(self, waiting: Iterator[tuple[Item, list[EncoderInUse]]]) -> None:
        for item, wanted in waiting:
            self._decode(item, wanted)

    def _decode(self, item: Item, wanted: Sequence[EncoderInUse]) -> None:
        started = time.perf_counter()
        digest = item.bundle.screenshot_sha256
        encoders = {each.registered: each.load() for each in wanted if self._embeds}
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
            item.pixels = {known: each.preprocess(image) for known, each in encoders.items()}
        except ImageError as error:
            self._unreadable[digest] = error
        except Exception as error:  # whatever one picture does to a decoder, others go on
            reason = f"it cannot be decoded ({type(error).__name__}: {error})"
            self._unreadable[digest] = ImageError("image.undecodable", reason)
        item.milliseconds["decode"] = (time.perf_counter() - started) * 1000


@dataclass(slots=True)
class Embedded:
    """Vectors (dim,) float32 by encoder and screenshot digest.

    `broken` names, by digest, the encoder that gave a vector which is not finite.
    """

    vectors: dict[RegisteredEncoder, dict[str, np.ndarray]] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)


def embed_batch(encoders: Sequence[EncoderInUse], batch: Sequence[Item]) -> Embedded:
    """Embed the items that carry pixels, encoder by encoder."""
    result = Embedded()
    for encoder in encoders:
        fresh = [item for item in batch if encoder.registered in item.pixels]
        if fresh:
            _embed_by(encoder, fresh, result)
    # Without its row in the index a screenshot can have no vector, by whichever encoder.
    for vectors in result.vectors.values():
        for digest in result.broken:
            vectors.pop(digest, None)
    return result


def _embed_by(encoder: EncoderInUse, fresh: Sequence[Item], result: Embedded) -> None:
    known = encoder.registered
    started = time.perf_counter()
    vectors = encoder.load().embed_pixels([item.pixels.pop(known) for item in fresh])
    share = (time.perf_counter() - started) * 1000 / len(fresh)
    finite: list[bool] = np.all(np.isfinite(vectors), axis=1).tolist()
    good = result.vectors.setdefault(known, {})
    for item, vector, sound in zip(fresh, vectors, finite, strict=True):
        item.milliseconds["embed"] = item.milliseconds.get("embed", 0.0) + share
        if sound:
            item.embedded.add(known)
            good[item.bundle.screenshot_sha256] = vector
        else:
            result.broken[item.bundle.screenshot_sha256] = known.name


def _names(encoders: Sequence[EncoderInUse]) -> str:
    return ", ".join(each.registered.name for each in encoders)


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
