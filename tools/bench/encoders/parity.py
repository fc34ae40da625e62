"""How near our vectors are to transformers' own, for every family, on pictures of all shapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from library_pipeline.encoders import Encoder, load_encoder
from tools.bench.encoders.checkpoints import (
    write_clip_b32,
    write_dinov2_small,
    write_siglip_base,
)
from tools.bench.encoders.contenders import reference
from tools.bench.encoders.screenshots import screenshot

PICTURES = 200
_WRITERS: dict[str, Callable[[Path], Path]] = {
    "CLIP ViT-B/32": write_clip_b32,
    "DINOv2 small": write_dinov2_small,
    "SigLIP base": write_siglip_base,
}
_OPTIONS: dict[str, dict[str, Any]] = {
    "float32": {},
    "ONNX Runtime": {"runtime": "onnx"},
    "bfloat16": {"precision": "bfloat16"},
    "int8": {"precision": "int8"},
}


@dataclass(frozen=True, slots=True)
class Parity:
    """The least cosine to the reference of a family, by how it was computed, and what int8 finds.

    `recall` is the share of pictures whose ten nearest neighbours by int8 are those by float32.
    """

    family: str
    cosines: dict[str, float]
    recall: float


def varied(count: int) -> list[Image.Image]:
    """Return screenshots of all shapes, from 25 times wider than high to 8 times higher."""
    rng = Random(0)
    shapes = [(rng.randrange(40, 900), rng.randrange(40, 900)) for _ in range(count)]
    shapes[::5] = [(1000, 40 + i % 100) for i in range(len(shapes[::5]))]
    shapes[::9] = [(100 + i % 60, 900) for i in range(len(shapes[::9]))]
    return [screenshot(number, size) for number, size in enumerate(shapes)]


def measure_parity(folder: Path, pictures: int = PICTURES) -> list[Parity]:
    """Return the figures of every family; writes its checkpoints below `folder`."""
    images = varied(pictures)
    return [_measure(name, write(folder / name.replace("/", "")), images)
            for name, write in _WRITERS.items()]  # fmt: skip


def _measure(family: str, checkpoint: Path, images: list[Image.Image]) -> Parity:
    expected = reference(checkpoint, images)
    cosines: dict[str, float] = {}
    vectors = expected
    for name, options in _OPTIONS.items():
        encoder = load_encoder(str(checkpoint), device="cpu", framing="crop", **options)
        vectors = _embedded(encoder, images)
        cosines[name] = float((vectors * expected).sum(axis=1).min())
    return Parity(family, cosines, _overlap(expected, vectors))


def _embedded(encoder: Encoder, images: list[Image.Image]) -> np.ndarray:
    return encoder.embed_batch(images, 32, progress=False)


def _overlap(exact: np.ndarray, other: np.ndarray, k: int = 10) -> float:
    """Return the mean share of the `k` nearest by `exact` that are among those by `other`."""
    first, second = (_nearest(vectors, k) for vectors in (exact, other))
    return float(np.mean([len(set(a) & set(b)) / k for a, b in zip(first, second, strict=True)]))


def _nearest(vectors: np.ndarray, k: int) -> np.ndarray:
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -2)
    return np.argsort(-scores, axis=1)[:, :k]
