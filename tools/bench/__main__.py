"""Measure what a refresh costs beside the CMS and the model, and how fast answers come."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from library_pipeline.cli.demo import fresh_demo
from library_pipeline.settings import load_settings
from tools.bench.encoders.run import measure_encoders
from tools.bench.machinery import Machinery, measure_machinery
from tools.bench.questions import Answers, measure_answers
from tools.bench.scale import measure_scale
from tools.bench.scale_table import scale_table
from tools.bench.search.run import measure_all_search
from tools.bench.sources.run import measure_sources

REPEATS = 3
PARTS = ("demo", "sources", "search", "scale", "encoders")


def main() -> None:
    """Run every measurement and print it as it goes into docs/benchmarks.md."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--only", choices=PARTS, help="only one of the parts")
    parser.add_argument(
        "--components", type=int, default=100_000, help="size of the simulated library, of listings"
    )
    asked = parser.parse_args()
    console = Console(highlight=False)
    console.print(_machine())
    wanted = PARTS if asked.only is None else (asked.only,)
    if "demo" in wanted:
        _demo(console)
    if "sources" in wanted:
        measure_sources(console, asked.components)
    if "search" in wanted:
        measure_all_search(console, asked.components)
    if "encoders" in wanted:
        measure_encoders(console)
    if "scale" in wanted:
        _scale(console, asked.components)


def _scale(console: Console, components: int) -> None:
    for size in (1000, components):
        with tempfile.TemporaryDirectory(prefix="library-scale-") as folder:
            console.print(scale_table(measure_scale(size, Path(folder) / "home")))


def _demo(console: Console) -> None:
    with tempfile.TemporaryDirectory(prefix="library-bench-") as folder:
        demo = fresh_demo(Path(folder) / "demo")
        demo.use()
        with _cms(demo.cms_folder, demo.cms_port):
            settings = load_settings()
            runs = [measure_machinery(settings) for _ in range(REPEATS)]
            # Times only: the vectors that the last run left are not real ones.
            answers = measure_answers(settings)
    console.print(_machinery_table(runs))
    console.print(_answers_table(answers))


@contextmanager
def _cms(folder: Path, port: int) -> Iterator[None]:
    """Serve the CMS from a process of its own, so that its work is not counted as ours."""
    program = str(Path(sys.executable).with_name("library-pipeline"))
    command = [program, "sample-cms", str(folder), "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as child:
        try:
            time.sleep(2)
            yield
        finally:
            child.terminate()


def _machine() -> str:
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.machine()}, "
        f"Python {platform.python_version()}, load {load}, median of {REPEATS} full refreshes"
    )


def _machinery_table(runs: list[Machinery]) -> Table:
    table = Table(title="full refresh, demo encoder, embedded server", title_justify="left")
    table.add_column("what")
    for name in ("ms a component", "s in all"):
        table.add_column(name, justify="right")
    count = runs[0].components
    for name in Machinery.PARTS:
        seconds = statistics.median(getattr(run, name) for run in runs)
        table.add_row(name.replace("_", " "), f"{1000 * seconds / count:.2f}", f"{seconds:.2f}")
    return table


def _answers_table(answers: Answers) -> Table:
    table = Table(title="questions and an unchanged library", title_justify="left")
    table.add_column("what")
    table.add_column("p50 ms", justify="right")
    table.add_column("p95 ms", justify="right")
    for name, times in answers.items():
        cuts = statistics.quantiles(times, n=20)
        table.add_row(name, f"{statistics.median(times):.1f}", f"{cuts[-1]:.1f}")
    return table


if __name__ == "__main__":
    main()
