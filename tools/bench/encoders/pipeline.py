"""How much of the encoder's own speed a whole refresh keeps."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from library_pipeline.api import refresh
from library_pipeline.cli.console import quiet_logs
from library_pipeline.encoders import load_encoder
from tools.bench.encoders.library import served, write_library

ROUNDS = 2


@dataclass(frozen=True, slots=True)
class PipelineShare:
    """Pictures a second over the same files: a full refresh, and the encoder alone; medians."""

    components: int
    encoder: float
    pipeline: float


def measure_pipeline(checkpoint: Path, components: int) -> PipelineShare:
    """Refresh an empty library and embed its files, in turns, in one process.

    The CMS is a process of its own, but on the same cores; everything is loaded before.
    """
    quiet_logs(verbose=False)
    encoder = load_encoder(str(checkpoint), framing="crop")
    alone: list[float] = []
    whole: list[float] = []
    with tempfile.TemporaryDirectory(prefix="library-pipeline-share-") as scratch:
        folder = Path(scratch)
        files = write_library(folder / "cms", components)
        encoder.embed_batch(files[:32], progress=False)
        with served(folder / "cms") as url:
            for turn in range(ROUNDS):
                started = time.perf_counter()
                encoder.embed_batch(files, progress=False)
                alone.append(time.perf_counter() - started)
                whole.append(_refresh(checkpoint, url, folder / f"home-{turn}", components))
    rates = [components / statistics.median(times) for times in (alone, whole)]
    return PipelineShare(components, *rates)


def _refresh(checkpoint: Path, url: str, home: Path, components: int) -> float:
    variables = {
        "LIBRARY_HOME": str(home),
        "LIBRARY_CMS_BASE_URL": url,
        "LIBRARY_ENCODER_MODEL": str(checkpoint),
        "LIBRARY_ENCODER_FRAMING": "crop",
    }
    with patch.dict(os.environ, variables):
        refresh(only=["c-0"])  # the server, its schema, Dagster's
        started = time.perf_counter()
        result = refresh("full")
        took = time.perf_counter() - started
    if result.new + result.unchanged != components:
        raise RuntimeError(f"the refresh was not one of the whole library: {result}")
    return took
