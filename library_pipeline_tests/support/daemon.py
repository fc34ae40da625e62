"""Dagster's daemon as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 150


@contextmanager
def daemon(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run Dagster's daemon over the test's instance."""
    program = str(Path(sys.executable).with_name("dagster-daemon"))
    with (folder / "daemon.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "run", "-w", str(ROOT / "workspace.yaml")],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=folder,
            stdout=log,
            stderr=log,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)
