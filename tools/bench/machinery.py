"""A full refresh taken apart: the whole, the model's forward passes, the bare downloads."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar
from unittest.mock import patch

import numpy as np

from library_pipeline.catalog.refresh import RefreshRequest
from library_pipeline.cli.console import quiet_logs
from library_pipeline.database.connection import open_database
from library_pipeline.defs.in_process import open_instance, run_refresh
from library_pipeline.encoders import load_encoder
from library_pipeline.encoders.model_encoder import ModelEncoder
from library_pipeline.refresh.log import new_refresh_id
from library_pipeline.settings import Settings
from library_pipeline.sources.contract import HttpCms
from library_pipeline.sources.http.connection import CmsConnection
from tools.bench.bare import bare_downloads


@dataclass(frozen=True, slots=True)
class Machinery:
    """Seconds of one full refresh into an empty library, imports and model loading left out.

    `without_forward` is a refresh of its own whose forward passes answer at once, so that nothing
    hides behind them; the CMS's answers are still in it. `bare_downloads` is a plain loop over
    the same files.
    """

    PARTS: ClassVar = ("whole", "forward", "without_forward", "bare_downloads", "machinery")

    components: int
    whole: float
    forward: float
    without_forward: float
    bare_downloads: float

    @property
    def machinery(self) -> float:
        """What is left without the forward passes and the bare downloads."""
        return self.without_forward - self.bare_downloads


def measure_machinery(settings: Settings) -> Machinery:
    """Refresh an empty library in full, with the model and without, and time it."""
    quiet_logs(verbose=False)
    load_encoder(settings.encoder.model).embed_pixels(_warm(settings))
    forward: list[float] = []
    original = ModelEncoder.embed_pixels

    def timed(self: ModelEncoder, pictures: Sequence[np.ndarray]) -> np.ndarray:
        started = time.perf_counter()
        try:
            return original(self, pictures)
        finally:
            forward.append(time.perf_counter() - started)

    def at_once(self: ModelEncoder, pictures: Sequence[np.ndarray]) -> np.ndarray:
        return np.full((len(pictures), self.dim), self.dim**-0.5, np.float32)

    components, whole = _timed_refresh(settings, timed)
    _, without_forward = _timed_refresh(settings, at_once)
    return Machinery(components, whole, sum(forward), without_forward, _bare_downloads(settings))


def _timed_refresh(
    settings: Settings, embed_pixels: Callable[[ModelEncoder, Sequence[np.ndarray]], np.ndarray]
) -> tuple[int, float]:
    """Return how many components a refresh of an empty library indexed, and in what time."""
    shutil.rmtree(settings.home / "bundles", ignore_errors=True)
    with open_database(settings) as database, open_instance(settings, database) as instance:
        from library_pipeline.definitions import library_definitions  # noqa: PLC0415 - reads settings

        with database.connect() as connection:
            connection.execute(
                "truncate pipeline.screenshot, pipeline.bundle, pipeline.look_alike cascade"
            )
        with patch.object(ModelEncoder, "embed_pixels", embed_pixels):
            started = time.perf_counter()
            result = run_refresh(
                library_definitions(settings),
                instance,
                database,
                RefreshRequest(
                    new_refresh_id(datetime.now(UTC)), "full", "python", in_process=True
                ),
            )
            took = time.perf_counter() - started
    if result.counts.new != result.counts.total:
        raise RuntimeError(f"the refresh was not one of an empty library: {result.counts}")
    return result.counts.total, took


def _bare_downloads(settings: Settings) -> float:
    """Return the seconds that a plain loop over the same URLs takes, as many at a time."""
    connection = CmsConnection(base_url=str(settings.cms.base_url))
    with HttpCms(connection) as cms:
        urls = [
            ref.url
            for page in cms.pages()
            for item in page.components
            for ref in item.files.values()
        ]
    return bare_downloads(urls, connection.concurrency)


def _warm(settings: Settings) -> list[np.ndarray]:
    from PIL import Image  # noqa: PLC0415

    picture = Image.new("RGB", (320, 200), "white")
    return [load_encoder(settings.encoder.model).preprocess(picture)]
