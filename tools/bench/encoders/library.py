"""A library of full-sized screenshots, and a CMS that serves it from a process of its own."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tools.bench.encoders.screenshots import screenshot
from tools.testing.bundles import write_bundle

PORT = 8191


def write_library(folder: Path, components: int) -> list[Path]:
    """Write components `c-0`, `c-1`, ... with screenshots of 1280 x 800; return their files."""
    return [_write(folder, number) for number in range(components)]


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve `folder` as a CMS and yield its address."""
    program = str(Path(sys.executable).with_name("library-pipeline"))
    command = [program, "sample-cms", str(folder), "--port", str(PORT)]
    url = f"http://127.0.0.1:{PORT}"
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as child:
        try:
            _wait_for(url)
            yield url
        finally:
            child.terminate()


def _write(folder: Path, number: int) -> Path:
    buffer = io.BytesIO()
    screenshot(number).save(buffer, "PNG")
    bundle = write_bundle(folder, f"c-{number}", screenshot=buffer.getvalue())
    return bundle / "screenshot.png"


def _wait_for(url: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            httpx.get(f"{url}/components?limit=1").raise_for_status()
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return
