"""A full refresh taken apart: the whole, the model's forward passes, the bare downloads."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar
from unittest.mock import patch

import httpx
import numpy as np

from library_pipeline.catalog.refresh import RefreshScope
from library_pipeline.cli.console import quiet_logs
from library_pipeline.defs.in_process import run_refresh
from library_pipeline.defs.instance import open_instance
from library_pipeline.encoders import load_encoder
from library_pipeline.encoders.clip import ClipEncoder
from library_pipeline.settings import Settings
from library_pipeline.sources.http_cms import CmsConnection, HttpCms
from library_pipeline.store.database import open_database
from library_pipeline.store.refreshes import new_refresh_id


@dataclass(frozen=True, slots=True)
class Machinery:
    """Seconds of one full refresh into an empty library, imports and model loading left out."""

    PARTS: ClassVar = ("whole", "forward", "bare_downloads", "machinery", "whole_without_forward")

    components: int
    whole: float
    forward: float
    bare_downloads: float

    @property
    def whole_without_forward(self) -> float:
        """All but the encoder's forward passes, the CMS's answers included."""
        return self.whole - self.forward

    @property
    def machinery(self) -> float:
        """All but the forward passes and what a bare loop needs to fetch the same files."""
        return self.whole - self.forward - self.bare_downloads


def measure_machinery(settings: Settings) -> Machinery:
    """Refresh an empty library in full and time its parts."""
    quiet_logs(verbose=False)
    load_encoder(settings.encoder.model).embed_pixels(_warm(settings))
    shutil.rmtree(settings.home / "bundles", ignore_errors=True)
    forward: list[float] = []
    original = ClipEncoder.embed_pixels

    def timed(self: ClipEncoder, pixels: np.ndarray) -> np.ndarray:
        started = time.perf_counter()
        try:
            return original(self, pixels)
        finally:
            forward.append(time.perf_counter() - started)

    with open_database(settings) as database, open_instance(settings, database) as instance:
        from library_pipeline.definitions import defs  # noqa: PLC0415 - reads the settings

        with database.connect() as connection:
            connection.execute("truncate pipeline.screenshot, pipeline.bundle cascade")
        with patch.object(ClipEncoder, "embed_pixels", timed):
            started = time.perf_counter()
            result = run_refresh(
                defs,
                instance,
                database,
                refresh_id=new_refresh_id(datetime.now(UTC)),
                kind="full",
                scope=RefreshScope(),
                asked_by="python",
            )
            whole = time.perf_counter() - started
    if result.counts.new != result.counts.total:
        raise RuntimeError(f"the refresh was not one of an empty library: {result.counts}")
    return Machinery(result.counts.total, whole, sum(forward), _bare_downloads(settings))


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
    started = time.perf_counter()
    asyncio.run(_get_all(urls, connection.concurrency))
    return time.perf_counter() - started


async def _get_all(urls: Sequence[str], concurrency: int) -> None:
    waiting = iter(urls)

    async def work(client: httpx.AsyncClient) -> None:
        for url in waiting:
            (await client.get(url)).raise_for_status()

    async with httpx.AsyncClient() as client, asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(work(client))


def _warm(settings: Settings) -> np.ndarray:
    from PIL import Image  # noqa: PLC0415

    picture = Image.new("RGB", (320, 200), "white")
    return load_encoder(settings.encoder.model).preprocess(picture)[None]
