"""What a host that is slow or fails does to another one of the same source."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

import psycopg

from library_pipeline.bundles.download import BundleDownloader
from library_pipeline.bundles.store import BundleStore
from library_pipeline.catalog.component import FILE_KINDS, Component, FileKind, FileRef
from library_pipeline.cli.console import quiet_logs
from library_pipeline.refresh.chunks import Chunk
from library_pipeline.refresh.fetching import Fetcher
from library_pipeline.refresh.items import Delivery, Meter, Task
from library_pipeline.sources.factory import CMS, contract_source
from library_pipeline.sources.http.connection import CmsConnection
from library_pipeline.sources.inline import empty_file

ROUNDS: Final = 6
GOOD: Final = 1_000
BAD: Final = 200
_SIZE: Final = 4_000
_KINDS: Final[dict[str, str | None]] = {
    "alone": None,
    "beside one that takes 1 s an answer": "stalls",
    "beside one that answers 503": "fails",
}


@dataclass(frozen=True, slots=True)
class Beside:
    """The seconds of one host's downloads, and how many times those alone in the same round."""

    what: str
    seconds: float
    ratio: float


def measure_hosts(one: str, other: str) -> list[Beside]:
    """Fetch from `one` with a refresh's own lanes, alone and beside `other`, in turns."""
    rounds: dict[str, list[float]] = {name: [] for name in _KINDS}
    quiet_logs(verbose=False)  # a line for each component that fails, as it is meant to
    _fetched(one, other, None)
    for turn in range(ROUNDS):
        for name in _KINDS if turn % 2 == 0 else reversed(_KINDS):
            rounds[name].append(_fetched(one, other, _KINDS[name]))
    return [_beside(name, seconds, rounds["alone"]) for name, seconds in rounds.items()]


def _beside(name: str, seconds: Sequence[float], alone: Sequence[float]) -> Beside:
    # Round by round, as the load of a shared machine changes between them.
    ratios = [each / one for each, one in zip(seconds, alone, strict=True)]
    return Beside(name, statistics.median(seconds), statistics.median(ratios))


def _fetched(one: str, other: str, path: str | None) -> float:
    """Return when the last of `one`'s components was there; `other`'s come first in the list."""
    source = contract_source(CmsConnection(base_url=one, allowed_hosts=(other.split("//")[1],)))
    bad = [_task(f"{other}/{path}/{_SIZE}/{number}") for number in range(BAD if path else 0)]
    good = [_task(f"{one}/files/{_SIZE}/{number}") for number in range(GOOD)]

    async def fetch(store: BundleStore) -> float:
        queue, stop = asyncio.Queue[Delivery | None](), threading.Event()
        meter = Meter(cast("psycopg.Connection", None), Chunk("bench", 1, 1, GOOD), stop)
        async with BundleDownloader([source], store) as downloader:
            fetcher = Fetcher(downloader, store, queue, meter, download=True)
            began = time.perf_counter()
            running = asyncio.create_task(fetcher.run(bad + good, [source], stop))
            left = GOOD
            while left:
                item = await queue.get()
                left -= item is not None and item.component_id.startswith(one)
            took = time.perf_counter() - began
            stop.set()
            await running
        return took

    with tempfile.TemporaryDirectory(prefix="library-hosts-") as folder:
        return asyncio.run(fetch(BundleStore(folder)))


def _task(url: str) -> Task:
    files: dict[FileKind, FileRef] = {"screenshot": FileRef(url)}
    files |= {kind: empty_file(kind) for kind in FILE_KINDS if kind != "screenshot"}
    return Task(Component(url, "1", url, files, source=CMS), "new")
