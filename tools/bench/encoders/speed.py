"""Pictures a second: a process for each contender, in turns, so that noise hits all alike."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from tools.bench.encoders.contenders import ONE_AT_A_TIME, contenders

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


def measure_speed(checkpoint: Path, folder: Path, pictures: int) -> dict[str, Speed]:
    """Return each contender's rounds over the `pictures` PNGs in `folder`."""
    with ExitStack() as stack:
        workers = {
            name: stack.enter_context(_Worker(name, checkpoint, folder)) for name in contenders()
        }
        speeds = {name: Speed(pictures) for name in workers}
        expected = workers[ONE_AT_A_TIME].vectors
        for name, worker in workers.items():
            speeds[name].cosine = float((worker.vectors * expected).sum(axis=1).min())
        for turn in range(ROUNDS):
            for name in list(workers) if turn % 2 == 0 else list(workers)[::-1]:
                took = workers[name].round()
                speeds[name].wall.append(took["wall"])
                speeds[name].cpu.append(took["cpu"])
        return speeds


class _Worker:
    """A contender's process; idle but for its rounds."""

    def __init__(self, name: str, checkpoint: Path, folder: Path) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="library-contender-")
        vectors = Path(self._scratch.name) / "vectors.npy"
        words = (name, str(checkpoint), str(folder), str(vectors))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tools.bench.encoders.worker", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._answer()
        self.vectors: np.ndarray = np.load(vectors)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
        self._scratch.cleanup()

    def round(self) -> dict[str, float]:
        """Return the wall-clock and CPU seconds of one round."""
        if self._process.stdin is None:
            raise RuntimeError("the contender has no input")
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return json.loads(self._answer())

    def _answer(self) -> str:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError(f"{self._process.args} ended with {self._process.wait()}")
        return line
