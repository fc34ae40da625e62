"""Downloads by `SourceFiles` beside a bare `httpx.AsyncClient` loop over the same URLs."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from library_pipeline.bundles.download import SourceFiles
from library_pipeline.sources.factory import contract_source
from library_pipeline.sources.http.connection import CmsConnection
from tools.bench.bare import bare_downloads

ROUNDS: Final = 5
CONCURRENCY: Final = 16
CASES: Final = ((4_000, 2_000), (300_000, 400))  # bytes, files


@dataclass(slots=True)
class Downloads:
    """Rounds over `files` of `size` bytes: wall and CPU seconds, ours and the bare loop's."""

    size: int
    files: int
    ours: list[tuple[float, float]] = field(default_factory=list)
    bare: list[tuple[float, float]] = field(default_factory=list)

    @property
    def share(self) -> float:
        """How many times the bare loop's rate ours is, of the medians."""
        return wall(self.bare) / wall(self.ours)


def wall(rounds: Sequence[tuple[float, float]]) -> float:
    """Return the median wall-clock seconds."""
    return statistics.median(each[0] for each in rounds)


def cpu(rounds: Sequence[tuple[float, float]]) -> float:
    """Return the median CPU seconds."""
    return statistics.median(each[1] for each in rounds)


def measure_downloads(url: str) -> list[Downloads]:
    """Download from the server at `url`, both ways in turns."""
    return [_measured(url, Downloads(*case)) for case in CASES]


def _measured(url: str, found: Downloads) -> Downloads:
    urls = [f"{url}/files/{found.size}/{number}" for number in range(found.files)]
    ways: list[tuple[list[tuple[float, float]], Callable[[], object]]] = [
        (found.ours, lambda: asyncio.run(_get_all(url, urls))),
        (found.bare, lambda: bare_downloads(urls, CONCURRENCY)),
    ]
    for _, way in ways:
        way()  # imports, and the server's first answers
    for turn in range(ROUNDS):
        for rounds, way in ways if turn % 2 == 0 else ways[::-1]:
            began, spent = time.perf_counter(), time.process_time()
            way()
            rounds.append((time.perf_counter() - began, time.process_time() - spent))
    return found


async def _get_all(url: str, urls: Sequence[str]) -> None:
    connection = CmsConnection(base_url=url, concurrency=CONCURRENCY)
    waiting = iter(urls)

    async def work(files: SourceFiles) -> None:
        for each in waiting:
            await files.get(each, "screenshot")

    async with SourceFiles(contract_source(connection)) as files, asyncio.TaskGroup() as group:
        for _ in range(CONCURRENCY):
            group.create_task(work(files))
