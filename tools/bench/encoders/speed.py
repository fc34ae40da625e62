"""Pictures a second, all contenders in one process, in turns, so that noise hits all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tools.bench.encoders.contenders import contenders

ROUNDS = 5


@dataclass(slots=True)
class Speed:
    """Rounds of one contender: wall seconds and CPU seconds for `pictures` each."""

    pictures: int
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    cosine: float = 1.0  # the least one to transformers' vectors, float32

    @property
    def a_second(self) -> float:
        """Pictures a second of wall-clock time, median of the rounds."""
        return self.pictures / statistics.median(self.wall)

    @property
    def cpu_milliseconds(self) -> float:
        """CPU time of one picture, median of the rounds."""
        return 1000 * statistics.median(self.cpu) / self.pictures


def measure_speed(checkpoint: Path, pictures: Sequence[Path]) -> dict[str, Speed]:
    """Return each contender's rounds over the same files."""
    loaded = contenders(checkpoint)
    speeds = {name: Speed(len(pictures)) for name in loaded}
    first = next(iter(loaded.values()))(pictures)
    for name, embed in loaded.items():
        vectors = embed(pictures[: min(32, len(pictures))])  # warms up as well
        speeds[name].cosine = float((vectors * first[: len(vectors)]).sum(axis=1).min())
    for turn in range(ROUNDS):
        order = list(loaded) if turn % 2 == 0 else list(loaded)[::-1]
        for name in order:
            wall, cpu = time.perf_counter(), time.process_time()
            vectors = loaded[name](pictures)
            speeds[name].wall.append(time.perf_counter() - wall)
            speeds[name].cpu.append(time.process_time() - cpu)
            if not np.isfinite(vectors).all():
                raise RuntimeError(f"{name} gave vectors that are not finite")
    return speeds
