"""All encoder figures, in an order that shows the first of them soon."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

import torch
from rich.console import Console

from tools.bench.encoders import pixeltable_contender
from tools.bench.encoders.checkpoints import write_clip_b32
from tools.bench.encoders.device import DeviceSpeed, measure_device
from tools.bench.encoders.memory import measure_flat, measure_refresh_peaks
from tools.bench.encoders.parity import PICTURES, measure_parity
from tools.bench.encoders.pipeline import measure_pipeline
from tools.bench.encoders.screenshots import write_screenshots
from tools.bench.encoders.speed import measure_speed
from tools.bench.encoders.tables import (
    device_table,
    memory_table,
    parity_table,
    pipeline_table,
    ratio_table,
    speed_table,
)

PIXELTABLE = "PIXELTABLE_PYTHON"  # an interpreter that has pixeltable, torch and transformers
MOST_MEMORY = 1100
LIBRARY = 120  # components of the refreshes whose memory is measured
WAYS = {
    "tiles (the default)": {},
    "crop": {"LIBRARY_ENCODER_FRAMING": "crop"},
    "int8": {"LIBRARY_ENCODER_PRECISION": "int8"},
}


def measure_encoders(console: Console, pictures: int = 64, components: int = 600) -> None:
    """Measure everything and print it as it comes."""
    with tempfile.TemporaryDirectory(prefix="library-encoders-") as scratch:
        folder = Path(scratch)
        checkpoint = write_clip_b32(folder / "clip-b32")
        write_screenshots(folder / "pictures", pictures)
        speeds = measure_speed(checkpoint, folder / "pictures", pictures)
        console.print(speed_table(speeds))
        console.print(ratio_table(speeds))
        console.print(pipeline_table(measure_pipeline(checkpoint, components)))
        flat, peaks = measure_flat(), measure_refresh_peaks(checkpoint, LIBRARY, WAYS)
        console.print(memory_table(flat, peaks, MOST_MEMORY))
        console.print(parity_table(measure_parity(folder), PICTURES))
        if torch.cuda.is_available():
            console.print(device_table(_on_gpu(checkpoint)))
        if interpreter := os.environ.get(PIXELTABLE):
            console.print(
                f"Pixeltable: {_pixeltable(interpreter, checkpoint, folder / 'pictures')}"
            )


def _on_gpu(checkpoint: Path) -> list[DeviceSpeed]:
    return [
        measure_device(checkpoint, "cuda", pictures=4096, precision=precision, compiled=compiled)
        for precision in ("auto", "bfloat16")
        for compiled in (False, True)
    ]


def _pixeltable(interpreter: str, checkpoint: Path, pictures: Path) -> dict[str, float]:
    program = str(pixeltable_contender.__file__)
    ran = subprocess.run(
        [interpreter, program, str(checkpoint), str(pictures)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(ran.stdout.splitlines()[-1])
