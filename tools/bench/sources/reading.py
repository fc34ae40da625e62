"""Items a second of a whole listing through its mapping, by a process pinned to one core."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from library_pipeline.settings import Settings
from library_pipeline.settings.source_keys import SourceSettings
from library_pipeline.sources.factory import configured_sources
from tools.bench.sources.items import SHAPES

ROUNDS: Final = 3
CASES: Final = (
    ("wagtail", 20), ("wagtail", 100), ("wagtail", 500),
    ("directus", 100), ("directus", 500),
    ("own", 100), ("own", 500),
)  # fmt: skip


@dataclass(slots=True)
class Reading:
    """Rounds over one listing of `items`: wall and CPU seconds of the reading process."""

    shape: str
    page_size: int
    items: int
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def rate(self, seconds: Sequence[float]) -> float:
        """Items a second, median of the rounds."""
        return self.items / statistics.median(seconds)


def measure_reading(url: str, items: int) -> list[Reading]:
    """Read every case's listing of `items` from the server at `url`, the cases in turns."""
    found = [Reading(shape, size, items) for shape, size in CASES]
    for turn in range(ROUNDS):
        for reading in found if turn % 2 == 0 else found[::-1]:
            took = _in_a_process(url, reading)
            reading.wall.append(took["wall"])
            reading.cpu.append(took["cpu"])
    return found


def _in_a_process(url: str, reading: Reading) -> dict[str, float]:
    words = (url, reading.shape, str(reading.page_size), str(reading.items))
    ran = subprocess.run(
        [sys.executable, "-m", "tools.bench.sources.reading", *words],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(ran.stdout)


def main(url: str, shape: str, page_size: str, items: str) -> None:
    """Read one listing and say the seconds it took, start and imports not counted."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    settings = SourceSettings.model_validate(
        {
            "name": "bench",
            "url": f"{url}/list/{shape}/{items}",
            "page_size": int(page_size),
            **SHAPES[shape].settings,
        }
    )
    (source,) = configured_sources(Settings(sources=(settings,)))
    with source.open() as listing:
        next(iter(listing.pages()))  # the server encodes its items now
    wall, cpu = time.perf_counter(), time.process_time()
    with source.open() as listing:
        read = sum(len(page.components) for page in listing.pages())
    took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    if read != int(items):
        raise RuntimeError(f"{read} of {items} items were understood")
    print(json.dumps(took))


if __name__ == "__main__":
    main(*sys.argv[1:])
