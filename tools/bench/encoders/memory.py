"""Memory: flat over very many pictures, and the peak of a whole refresh with a real-sized model."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.bench.encoders.library import served, write_library

MEGABYTE = 1024 * 1024
_FLAT = """
import io, sys
import psutil
from library_pipeline.encoders import load_encoder
from tools.bench.encoders.screenshots import screenshot
encoder = load_encoder("demo", device="cpu")
files = []
for seed in range(64):
    buffer = io.BytesIO()
    screenshot(seed, (320, 200)).save(buffer, "PNG")
    files.append(buffer.getvalue())
for part in range(10):
    encoder.embed_batch((files[i % 64] for i in range(int(sys.argv[1]) // 10)), 32, progress=False)
    print(psutil.Process().memory_info().rss, flush=True)
"""


def measure_flat(pictures: int = 20_000) -> list[float]:
    """Return a process's megabytes after each tenth of `pictures` through the demo encoder."""
    ran = subprocess.run(
        [sys.executable, "-c", _FLAT, str(pictures)], check=True, capture_output=True, text=True
    )
    return [int(line) / MEGABYTE for line in ran.stdout.split()]


def measure_refresh_peaks(
    checkpoint: Path, components: int, ways: dict[str, dict[str, str]]
) -> dict[str, float]:
    """Return the megabytes at which `library-pipeline refresh` peaks, by way of computing.

    `ways` are environment variables by name. Each time an empty library, screenshots of
    1280 x 800, a CMS in a process of its own.
    """
    with tempfile.TemporaryDirectory(prefix="library-memory-") as scratch:
        folder = Path(scratch)
        write_library(folder / "cms", components)
        with served(folder / "cms") as url:
            return {
                name: _peak(checkpoint, url, folder / f"home-{number}", variables)
                for number, (name, variables) in enumerate(ways.items())
            }


def _peak(checkpoint: Path, url: str, home: Path, variables: dict[str, str]) -> float:
    environment = os.environ | {
        "LIBRARY_HOME": str(home),
        "LIBRARY_CMS_BASE_URL": url,
        "LIBRARY_ENCODER_MODEL": str(checkpoint),
        **variables,
    }
    program = str(Path(sys.executable).with_name("library-pipeline"))
    with subprocess.Popen(
        [program, "refresh"], env=environment, stdout=subprocess.DEVNULL
    ) as refresh:
        peak = 0.0
        while refresh.poll() is None:
            peak = _high_water(refresh.pid) or peak
            time.sleep(0.1)
    if refresh.returncode:
        raise RuntimeError(f"{variables}: the refresh ended with status {refresh.returncode}")
    return peak


def _high_water(pid: int) -> float | None:
    """Return the most megabytes a process has had; `ru_maxrss` would begin with its parent's."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return None
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) / 1024 if found else None
