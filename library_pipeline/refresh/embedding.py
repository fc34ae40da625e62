"""Second phase: decode screenshots that lack a vector, in threads, and embed them in batches."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

import numpy as np
import psycopg

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.catalog.errors import ComponentError
from library_pipeline.encoders import Encoder, ImageError
from library_pipeline.encoders.image import read_image, thumbnail
from library_pipeline.index.embeddings import embedded_screenshots
from library_pipeline.index.write import DecodedScreenshot
from library_pipeline.refresh.items import Delivery, Meter, Stage

LINGER_SECONDS = 0.02
# One more thread costs as much as many small pictures, because all threads share one lock.
_BYTES_PER_THREAD = 128 * 1024
_MAX_THREADS = min(8, os.cpu_count() or 1)


class Batcher:
    """Gathers deliveries into batches, with the pixels of the screenshots that need a vector.

    A screenshot is decoded once a chunk, for all encoders and all components that show it. If it
    cannot be decoded, all of these components fail.
    """

    def __init__(
        self,
        connection: psycopg.Connection,
        encoders: Sequence[EncoderInfo],
        load: Callable[[EncoderInfo], Encoder],
        pool: Executor,
        meter: Meter,
        stages: frozenset[Stage],
    ) -> None:
        self._connection = connection
        self._load = load
        self._pool = pool
        self._meter = meter
        self._embeds = "embedding" in stages
        self._needs_vectors = "index" in stages and not self._embeds
        # A component becomes searchable without the vectors of candidates.
        self._encoders = [each for each in encoders if self._embeds or each.active]
        self._decoded: set[str] = set()
        self._unreadable: dict[str, ImageError] = {}

    async def run(
        self,
        incoming: asyncio.Queue[Delivery | None],
        outgoing: asyncio.Queue[list[Delivery] | None],
        size: int,
    ) -> None:
        """Batch everything from `incoming` until it is closed, then close `outgoing`."""
        while batch := await _gather(incoming, size):
            ready = await self._decode_batch(batch)
            if ready:
                await outgoing.put(ready)
        await outgoing.put(None)

    async def _decode_batch(self, batch: Sequence[Delivery]) -> list[Delivery]:
        lacking = await asyncio.to_thread(
            self._lacking, {item.bundle.screenshot_sha256 for item in batch}
        )
        fresh: list[tuple[Delivery, list[EncoderInfo]]] = []
        for item in batch:
            digest = item.bundle.screenshot_sha256
            again = item.task.force and self._embeds
            wanted = self._encoders if again else lacking[digest]
            if wanted and digest not in self._decoded:
                self._decoded.add(digest)
                fresh.append((item, wanted))
        await self._decode_all(fresh)
        ready: list[Delivery] = []
        for item in batch:
            item.screenshot = b""  # frees memory: later phases need only the pixels
            if error := self._error(item, lacking[item.bundle.screenshot_sha256]):
                self._meter.failed(error.failure(item.component_id))
            else:
                ready.append(item)
        return ready

    def _error(self, item: Delivery, lacking: Sequence[EncoderInfo]) -> ComponentError | None:
        """Return why the delivery fails here, None if it does not."""
        digest = item.bundle.screenshot_sha256
        if unreadable := self._unreadable.get(digest):
            # The code names the fault of the picture, the phase the step that found it.
            message = f"component {item.component_id}: screenshot: {unreadable}"
            return ComponentError("decode", unreadable.code, message)
        if self._needs_vectors and lacking:
            names = ", ".join(each.name for each in lacking)
            return ComponentError(
                "embed",
                "embed.no_vector",
                f"component {item.component_id}: screenshot {digest[:12]} has not been embedded by "
                f"{names}; materialize component_embedding as well",
            )
        return None

    def _lacking(self, digests: set[str]) -> dict[str, list[EncoderInfo]]:
        """Return which encoders have no vector of each screenshot."""
        lacking: dict[str, list[EncoderInfo]] = {digest: [] for digest in digests}
        for encoder in self._encoders:
            known = embedded_screenshots(self._connection, encoder.id, digests)
            for digest in digests - known:
                lacking[digest].append(encoder)
        return lacking

    async def _decode_all(self, fresh: Sequence[tuple[Delivery, list[EncoderInfo]]]) -> None:
        """Decode in as few threads as the work needs; a free thread takes the next delivery."""
        waiting = iter(fresh)
        size = sum(len(item.screenshot) for item, _ in fresh)
        threads = min(len(fresh), 1 + size // _BYTES_PER_THREAD, _MAX_THREADS)
        loop = asyncio.get_running_loop()
        await asyncio.gather(
            *(loop.run_in_executor(self._pool, self._decode_from, waiting) for _ in range(threads))
        )

    def _decode_from(self, waiting: Iterator[tuple[Delivery, list[EncoderInfo]]]) -> None:
        for item, wanted in waiting:
            self._decode(item, wanted)

    def _decode(self, item: Delivery, wanted: Sequence[EncoderInfo]) -> None:
        started = time.perf_counter()
        digest = item.bundle.screenshot_sha256
        encoders = {each: self._load(each) for each in wanted if self._embeds}
        try:
            image = read_image(item.screenshot)
            item.decoded = DecodedScreenshot(
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
        except Exception as error:  # no fault of one picture may stop the others
            reason = f"it cannot be decoded ({type(error).__name__}: {error})"
            self._unreadable[digest] = ImageError("image.undecodable", reason)
        item.milliseconds["decode"] = (time.perf_counter() - started) * 1000


@dataclass(slots=True)
class BatchVectors:
    """Vectors (dim,) float32 by encoder and screenshot digest.

    `broken` holds, by digest, the name of the encoder whose vector was not finite.
    """

    vectors: dict[EncoderInfo, dict[str, np.ndarray]] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)


def embed_batch(
    encoders: Sequence[EncoderInfo],
    load: Callable[[EncoderInfo], Encoder],
    batch: Sequence[Delivery],
) -> BatchVectors:
    """Embed the deliveries that carry pixels, encoder by encoder."""
    result = BatchVectors()
    for encoder in encoders:
        fresh = [item for item in batch if encoder in item.pixels]
        if fresh:
            _embed_by(encoder, load(encoder), fresh, result)
    # A screenshot with a broken vector is not stored, so it must have no vector of any encoder.
    for vectors in result.vectors.values():
        for digest in result.broken:
            vectors.pop(digest, None)
    return result


def _embed_by(
    encoder: EncoderInfo, model: Encoder, fresh: Sequence[Delivery], result: BatchVectors
) -> None:
    started = time.perf_counter()
    vectors = model.embed_pixels([item.pixels.pop(encoder) for item in fresh])
    share = (time.perf_counter() - started) * 1000 / len(fresh)
    finite: list[bool] = np.all(np.isfinite(vectors), axis=1).tolist()
    good = result.vectors.setdefault(encoder, {})
    for item, vector, sound in zip(fresh, vectors, finite, strict=True):
        item.milliseconds["embed"] = item.milliseconds.get("embed", 0.0) + share
        if sound:
            item.embedded.add(encoder)
            good[item.bundle.screenshot_sha256] = vector
        else:
            result.broken[item.bundle.screenshot_sha256] = encoder.name


async def _gather(incoming: asyncio.Queue[Delivery | None], size: int) -> list[Delivery]:
    """Wait for a delivery, then take at most `size` that follow at once; return [] at the end."""
    batch: list[Delivery] = []
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
