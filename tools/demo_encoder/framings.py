"""Which framing finds components of extreme shape, for an encoder that was trained on squares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
from PIL import Image

from library_pipeline.encoders import Encoder, load_encoder, read_image
from library_pipeline.encoders.preparation import pad_to_square, tile_boxes
from tools.demo_encoder.evaluation import DISTURBANCES, embed, nearest_of_kind
from tools.demo_encoder.renders import read_index

WIDE: Final = 4.0  # width by height
TALL: Final = 2.5  # height by width
_ASKED: Final = ("JPEG q60", "downscale 50%", "crop 10%", "shift 10%")
Framing = Callable[[Image.Image, int], list[Image.Image]]


def crop(image: Image.Image, side: int) -> list[Image.Image]:
    """Return the middle of the picture, its shorter side filling the square: CLIP's own way."""
    short = min(image.size)
    left, top = (image.width - short) / 2, (image.height - short) / 2
    return [_cut(image, (left, top, left + short, top + short), side)]


def squash(image: Image.Image, side: int) -> list[Image.Image]:
    """Return the whole picture, its shape given up."""
    return [_cut(image, (0, 0, *image.size), side)]


def pad(image: Image.Image, side: int) -> list[Image.Image]:
    """Return the whole picture in its shape, on its own border colour."""
    return [pad_to_square(image, side, Image.Resampling.BICUBIC)]


def tiles(image: Image.Image, side: int) -> list[Image.Image]:
    """Return the squashed picture and, of a long one, the squashed parts that it is made of."""
    parts = tile_boxes(image.width, image.height)
    return squash(image, side) + [_cut(image, box, side) for box in parts]


FRAMINGS: Final[dict[str, Framing]] = {"crop": crop, "squash": squash, "pad": pad, "tiles": tiles}


@dataclass(frozen=True, slots=True)
class Group:
    """The queries of some shapes, and what each framing reaches on them."""

    name: str
    queries: int
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Row:
    """What one framing reaches on the queries of one group of shapes."""

    framing: str
    recalls: dict[str, float]  # recall@1 by disturbance
    kind_precision: float  # at 5, undisturbed


def extreme(size: tuple[int, int]) -> bool:
    """Whether a picture of this (width, height) is wider than 4:1 or taller than 1:2.5."""
    return size[0] / size[1] > WIDE or size[1] / size[0] > TALL


def measure(model: str, folders: Sequence[Path]) -> list[Group]:
    """Return what is found of the extreme shapes, then of the others.

    Every query searches all components, framed as the query is.
    """
    renders = [render for folder in folders for render in read_index(folder)]
    images = [read_image(render.path) for render in renders]
    kinds = np.array([render.kind for render in renders])
    odd = np.array([extreme(image.size) for image in images])
    encoder = load_encoder(model, name="evaluated", device="cpu")
    side = encoder.preprocess(images[0]).shape[-1]
    groups = [Group("extreme", int(odd.sum()), []), Group("other", int((~odd).sum()), [])]
    for name, framing in FRAMINGS.items():
        gallery = vectors(encoder, images, framing, side)
        hits = {asked: _found(encoder, images, gallery, framing, side, asked) for asked in _ASKED}
        alike = nearest_of_kind(gallery, kinds)
        for group, own in zip(groups, (odd, ~odd), strict=True):
            recalls = {asked: float(hit[own].mean()) for asked, hit in hits.items()}
            group.rows.append(Row(name, recalls, float(alike[own].mean())))
    return groups


def vectors(
    encoder: Encoder, images: Sequence[Image.Image], framing: Framing, side: int
) -> np.ndarray:
    """Return (N, dim): the mean of each picture's frames' unit vectors, unit length again."""
    frames = [framing(image, side) for image in images]
    each = embed(encoder, [frame for own in frames for frame in own])
    starts = np.cumsum([0, *(len(own) for own in frames[:-1])])
    sums = np.add.reduceat(each, starts, axis=0)
    return sums / np.linalg.norm(sums, axis=1, keepdims=True)


def tables(groups: Sequence[Group]) -> str:
    """Return a Markdown table for each group."""
    return "\n\n".join(_table(group) for group in groups)


def _table(group: Group) -> str:
    lines = [
        f"| framing ({group.queries} {group.name} shapes) | {' | '.join(_ASKED)} "
        "| mean | same kind, precision@5 |",
        "| --- |" + " --- |" * (len(_ASKED) + 2),
    ]
    for row in group.rows:
        values = [*row.recalls.values(), sum(row.recalls.values()) / len(_ASKED)]
        cells = " | ".join(f"{value:.3f}" for value in [*values, row.kind_precision])
        lines.append(f"| {row.framing} | {cells} |")
    return "\n".join(lines)


def _found(
    encoder: Encoder,
    images: Sequence[Image.Image],
    gallery: np.ndarray,
    framing: Framing,
    side: int,
    disturbance: str,
) -> np.ndarray:
    """Return for each picture whether its disturbed self finds it first."""
    rng = Random(0)
    changed = [DISTURBANCES[disturbance](image, rng) for image in images]
    queries = vectors(encoder, changed, framing, side)
    return np.argmax(queries @ gallery.T, axis=1) == np.arange(len(gallery))


def _cut(image: Image.Image, box: tuple[float, float, float, float], side: int) -> Image.Image:
    return image.resize((side, side), Image.Resampling.BICUBIC, box=box)
