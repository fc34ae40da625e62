"""The encoder figures as tables for docs/benchmarks.md, each beside its target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from tools.bench.encoders import contenders
from tools.bench.encoders.device import DeviceSpeed
from tools.bench.encoders.parity import Parity
from tools.bench.encoders.pipeline import PipelineShare
from tools.bench.encoders.speed import Speed
from tools.bench.tables import new_table

# Ours, what it is held against, and how many times faster it is meant to be.
TARGETS = (
    (contenders.TORCH, contenders.SENTENCE_TRANSFORMERS, 1.25),
    (contenders.ONNX, contenders.SENTENCE_TRANSFORMERS, 1.25),
    (contenders.TORCH, contenders.ONE_AT_A_TIME, 1.7),
    (contenders.ONNX, contenders.ONE_AT_A_TIME, 1.7),
    (contenders.INT8, contenders.SENTENCE_TRANSFORMERS, 2.8),
)


def speed_table(speeds: Mapping[str, Speed]) -> Table:
    """Return pictures a second and CPU time a picture, one line a contender."""
    table = new_table("ViT-B/32, 1280 x 800 PNG", "what", "pictures/s", "ms CPU", "least cosine")
    for name, speed in sorted(speeds.items(), key=lambda item: item[1].a_second):
        table.add_row(
            name,
            f"{speed.a_second:.2f}",
            f"{speed.cpu_milliseconds:.0f}",
            f"{speed.cosine:.6f}",
        )
    return table


def ratio_table(speeds: Mapping[str, Speed]) -> Table:
    """Return how many times faster ours is than each rival that could be run."""
    table = new_table("times faster", "what", "than", "measured", "target")
    for ours, rival, target in TARGETS:
        if rival in speeds:
            ratio = speeds[ours].a_second / speeds[rival].a_second
            table.add_row(ours, rival, f"{ratio:.2f}", f"at least {target}")
    return table


def parity_table(parities: Sequence[Parity], pictures: int) -> Table:
    """Return the least cosine to transformers' pipeline, and what int8 loses."""
    title = f"least cosine to transformers (PIL, float32), {pictures} pictures of all shapes"
    table = new_table(title, "family", *parities[0].cosines, "same ten nearest by int8")
    for parity in parities:
        cosines = (f"{value:.6f}" for value in parity.cosines.values())
        table.add_row(parity.family, *cosines, f"{parity.recall:.3f}")
    return table


def memory_table(flat: Sequence[float], peaks: Mapping[str, float], target: float) -> Table:
    """Return the megabytes of many pictures and of a whole refresh."""
    table = new_table("memory, MB", "what", "measured", "target")
    growth = " ".join(f"{megabytes:.0f}" for megabytes in flat)
    table.add_row("after each tenth of 20,000 pictures, demo encoder", growth, "flat")
    for name, peak in peaks.items():
        table.add_row(
            f"peak of a full refresh, ViT-B/32, {name}", f"{peak:.0f}", f"<= {target:.0f}"
        )
    return table


def pipeline_table(share: PipelineShare) -> Table:
    """Return the pipeline's speed beside the encoder's alone."""
    table = new_table(f"{share.components} components, ViT-B/32", "what", "pictures/s", "target")
    table.add_row("encoder alone, same files", f"{share.encoder:.2f}", "")
    table.add_row("the whole refresh", f"{share.pipeline:.2f}", "")
    table.add_row("share", f"{share.pipeline / share.encoder:.2f}", "at least 0.90")
    return table


def device_table(speeds: Sequence[DeviceSpeed]) -> Table:
    """Return what devices reach."""
    table = new_table(
        "JPEG 640 x 400", "device", "precision", "forward/s", "end to end/s", "decoding/s"
    )
    for speed in speeds:
        precision = speed.precision + (", compiled" if speed.compiled else "")
        rates = (speed.forward, speed.end_to_end, speed.decoding)
        table.add_row(speed.device, precision, *(f"{rate:,.0f}" for rate in rates))
    return table
