"""The API by component id, asked by several clients at once of a service in its own process."""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CLIENTS = 8
SECONDS = 15
WARM_UP = 5


@dataclass(frozen=True, slots=True)
class ApiTimes:
    """Answers a second, and the milliseconds that half and 95% of them stay under."""

    what: str
    clients: int
    per_second: float
    p50: float
    p95: float


def measure_api(home: Path, components: int) -> list[ApiTimes]:
    """Ask for look-alikes of components all over the library, ten each, by one encoder and two."""
    numbers = range(0, components, max(1, components // 500))
    with _service(home) as url:
        return [
            _measure(
                url, what, [f"/api/components/bench-{n:06d}/similar?k=10{by}" for n in numbers]
            )
            for what, by in (("by one encoder", "&weight=clip:1"), ("by two encoders", ""))
        ]


def _measure(url: str, what: str, paths: list[str]) -> ApiTimes:
    _load(url, paths, seconds=WARM_UP)
    times = _load(url, paths, seconds=SECONDS)
    return ApiTimes(
        what,
        CLIENTS,
        len(times) / SECONDS,
        statistics.median(times),
        statistics.quantiles(times, n=20)[-1],
    )


@contextmanager
def _service(home: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = str(Path(sys.executable).with_name("library-pipeline"))
    variables = {**os.environ, "LIBRARY_HOME": str(home)}
    with subprocess.Popen([program, "serve", "--port", str(port)], env=variables) as child:
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(f"{url}/healthz")
            yield url
        finally:
            child.terminate()


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _load(url: str, paths: list[str], seconds: int) -> list[float]:
    command = [sys.executable, "-m", "tools.bench.search.load", url, str(CLIENTS), str(seconds)]
    done = subprocess.run(
        command, input="\n".join(paths), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"the clients failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout)
