"""The model alone on a device, and from JPEG bytes in memory to vectors; meant for GPUs."""

from __future__ import annotations

import io
import os
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from library_pipeline.encoders import load_encoder, read_image
from tools.bench.encoders.screenshots import screenshot

REPEATS = 5


@dataclass(frozen=True, slots=True)
class DeviceSpeed:
    """Pictures a second, median of the repeats, in the named precision."""

    device: str
    precision: str
    compiled: bool
    forward: float  # uint8 views in host memory to vectors: copy, normalization, model, pooling
    end_to_end: float
    decoding: float  # JPEG bytes to uint8 views in all threads, without the model


def measure_device(
    checkpoint: Path,
    device: str,
    *,
    pictures: int,
    precision: Literal["auto", "bfloat16"],
    compiled: bool,
) -> DeviceSpeed:
    """Return the speeds of `checkpoint` on `device` over `pictures` JPEGs of 640 x 400."""
    encoder = load_encoder(
        str(checkpoint),
        device=device,
        cpu_fallback=False,
        framing="crop",
        precision=precision,
        compiled=compiled,
    )
    files = [_jpeg(seed) for seed in range(32)]
    sources = [files[i % len(files)] for i in range(pictures)]
    views = [encoder.preprocess(read_image(data)) for data in files]
    batch = [views[i % len(views)] for i in range(pictures)]

    def decode() -> None:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda data: encoder.preprocess(read_image(data)), sources))

    return DeviceSpeed(
        torch.cuda.get_device_name(device) if device.startswith("cuda") else device,
        precision,
        compiled,
        forward=_rate(pictures, lambda: encoder.embed_pixels(batch)),
        end_to_end=_rate(pictures, lambda: encoder.embed_batch(sources, 256, progress=False)),
        decoding=_rate(pictures, decode),
    )


def _rate(pictures: int, work: Callable[[], Sequence[np.ndarray] | np.ndarray | None]) -> float:
    work()
    times: list[float] = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return pictures / statistics.median(times)


def _jpeg(seed: int) -> bytes:
    buffer = io.BytesIO()
    screenshot(seed, (640, 400)).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
