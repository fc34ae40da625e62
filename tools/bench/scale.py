"""A library of any size from nothing, unchanged, and with ten changes: `--components 100000`."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from unittest.mock import patch

import dagster as dg
import numpy as np

from library_pipeline.catalog.refresh import Refresh, RefreshKind, RefreshRequest
from library_pipeline.cli.console import quiet_logs
from library_pipeline.database.connection import Database, open_database
from library_pipeline.definitions import library_definitions
from library_pipeline.defs import components
from library_pipeline.defs.in_process import open_instance, run_refresh
from library_pipeline.encoders.model_encoder import ModelEncoder
from library_pipeline.refresh.log import new_refresh_id
from library_pipeline.settings import load_settings
from tools.bench.bare import bare_downloads
from tools.simulated_cms import SimulatedCms

CHANGED = tuple(range(0, 1000, 100))
BARE_COMPONENTS = 2000
CONCURRENCY = 16
MEGABYTE = 1024 * 1024
_counts: Counter[str] = Counter()  # a patched method has nowhere else to count


@dataclass
class Scale:
    """What was measured over a library of `components`; times in seconds, memory in bytes."""

    components: int
    first_load: float = 0.0
    bare_rate: list[float] = field(default_factory=list)
    """Components a second of a plain loop over the same files, before and after the load."""
    event_seconds: float = 0.0
    events: int = 0
    memory_over_base: int = 0
    tick: float = 0.0
    tick_requests: dict[str, int] = field(default_factory=dict)
    unchanged_process: list[float] = field(default_factory=list)
    changed_searchable: float = 0.0
    changed_whole: float = 0.0
    changed_requests: dict[str, int] = field(default_factory=dict)
    changed_embedded: int = 0

    @property
    def rate(self) -> float:
        """Components a second of the first load."""
        return self.components / self.first_load


def measure_scale(components: int, folder: Path) -> Scale:
    """Load a simulated CMS of `components` with a stub encoder, then refresh it again."""
    quiet_logs(verbose=False)
    found = Scale(components)
    with SimulatedCms(components) as cms, _library(cms, folder):
        settings = load_settings()
        with open_database(settings) as database, open_instance(settings, database) as instance:
            library = _Library(database, instance)
            found.bare_rate.append(_bare_rate(cms, components))
            _first_load(library, found)
            found.bare_rate.append(_bare_rate(cms, components))
            _tick(library, cms, found)
            _ten_changed(library, cms, found)
            found.unchanged_process = [_unchanged_process() for _ in range(3)]
    return found


@dataclass
class _Library:
    database: Database
    instance: dg.DagsterInstance

    def refresh(self, kind: RefreshKind) -> Refresh:
        request = RefreshRequest(new_refresh_id(datetime.now(UTC)), kind, "python", in_process=True)
        definitions = library_definitions(load_settings())
        return run_refresh(definitions, self.instance, self.database, request)


@contextmanager
def _library(cms: SimulatedCms, folder: Path) -> Iterator[None]:
    variables = {
        "LIBRARY_HOME": str(folder),
        "LIBRARY_CMS_BASE_URL": cms.url,
        "LIBRARY_CMS_PAGE_SIZE": "1000",
        "LIBRARY_ENCODER_MODEL": "demo",
    }
    with patch.dict(os.environ, variables), patch.object(ModelEncoder, "embed_pixels", _at_once):
        yield


def _at_once(self: ModelEncoder, pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Stand for a forward pass of 0 ms: (N, dim) float32 of distinct unit vectors."""
    _counts["embedded"] += len(pictures)
    pixels = np.concatenate(pictures)
    seed = int(pixels.reshape(len(pixels), -1)[:, :64].astype(np.int64).sum())
    vectors = np.random.default_rng(seed).standard_normal((len(pixels), self.dim), np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _first_load(library: _Library, found: Scale) -> None:
    original = components.log_materializations

    def timed(context: object, events: Sequence[dg.AssetMaterialization]) -> None:
        started = time.perf_counter()
        original(context, events)  # type: ignore[arg-type]
        found.event_seconds += time.perf_counter() - started
        found.events += len(events)

    Path("/proc/self/clear_refs").write_text("5")  # the highest so far counts no more
    base = _memory("VmRSS")
    with patch.object(components, "log_materializations", timed):
        started = time.perf_counter()
        done = library.refresh("incremental")
        found.first_load = time.perf_counter() - started
    found.memory_over_base = _memory("VmHWM") - base
    if done.new != found.components:
        raise RuntimeError(f"the first load was not whole: {done.counts}")


def _tick(library: _Library, cms: SimulatedCms, found: Scale) -> None:
    repository = library_definitions(load_settings()).get_repository_def()
    sensor = repository.get_sensor_def("cms_changes")
    for _ in range(2):  # the first one warms caches
        cms.reset_requests()
        with dg.build_sensor_context(
            library.instance,
            repository_def=repository,
            sensor_name="cms_changes",
            resources=library_definitions(load_settings()).resources,
        ) as context:
            started = time.perf_counter()
            data = sensor.evaluate_tick(context)
            found.tick = time.perf_counter() - started
        if data.run_requests:
            raise RuntimeError("an unchanged library asked for a run")
        found.tick_requests = _counted(cms)


def _ten_changed(library: _Library, cms: SimulatedCms, found: Scale) -> None:
    cms.edit(CHANGED)
    cms.reset_requests()
    ended: list[float] = []
    started = time.perf_counter()
    watcher = threading.Thread(target=_until_searchable, args=(library.database, ended))
    watcher.start()
    before = _counts["embedded"]
    done = library.refresh("incremental")
    found.changed_whole = time.perf_counter() - started
    watcher.join()
    found.changed_searchable = ended[0] - started
    found.changed_requests = _counted(cms)
    found.changed_embedded = _counts["embedded"] - before
    if done.updated != len(CHANGED):
        raise RuntimeError(f"not just the edited components were refreshed: {done.counts}")


def _until_searchable(database: Database, ended: list[float]) -> None:
    ids = [f"sim-{number:06d}" for number in CHANGED]
    query = """select count(*) from library.component
               where component_id = any(%s) and indexed_at > %s"""
    with database.connect() as connection:
        begin = connection.execute("select now()").fetchone()
        while True:
            row = connection.execute(query, (ids, begin[0] if begin else None)).fetchone()
            if row and row[0] == len(ids):
                ended.append(time.perf_counter())
                return
            time.sleep(0.02)


def _unchanged_process() -> float:
    """Return how long `library-pipeline refresh` takes as a process; it must not load torch."""
    code = (
        "import sys\nfrom library_pipeline.cli.app import app\n"
        "try: app(['refresh'])\n"
        "finally: sys.stderr.write('torch' if 'torch' in sys.modules else 'slim')"
    )
    started = time.perf_counter()
    outcome = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    took = time.perf_counter() - started
    if outcome.returncode or not outcome.stderr.endswith("slim"):
        raise RuntimeError(f"refresh ended with {outcome.returncode}: {outcome.stderr[-500:]}")
    return took


def _counted(cms: SimulatedCms) -> dict[str, int]:
    return {kind: count for kind, count in cms.requests().items() if count}


def _bare_rate(cms: SimulatedCms, components: int) -> float:
    count = min(BARE_COMPONENTS, components)
    kinds = ("config", "format", "records", "screenshot")
    urls = [f"{cms.url}/files/sim-{n:06d}.{kind}" for n in range(count) for kind in kinds]
    return count / bare_downloads(urls, CONCURRENCY)


def _memory(which: Literal["VmRSS", "VmHWM"]) -> int:
    """Return this process's memory in bytes, as Linux counts it: now, or at its highest."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(which))
    return int(line.split()[1]) * 1024
