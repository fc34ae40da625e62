"""What the encoder is worth on renders it has never seen, by the questions users ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from library_pipeline.encoders import Encoder, load_encoder, read_image
from tools.demo_encoder.paraphrases import DEFINITIONS, PARAPHRASES
from tools.demo_encoder.renders import Render, kind_captions, read_index
from tools.demo_encoder.views import View, colour, crop, downscale, jpeg, shift

BATCH = 64
DISTURBANCES: dict[str, View] = {
    "JPEG q60": partial(jpeg, quality=60),
    "downscale 50%": partial(downscale, factor=0.5),
    "crop 10%": partial(crop, share=0.1),
    "shift 10%": partial(shift, share=0.1),
    "colour": colour,
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value, what blind guessing would reach, and the aim if there is one."""

    name: str
    value: float
    chance: float
    target: float | None = None


def evaluate(model: str, folders: Sequence[Path], seed: int = 0) -> list[Figure]:
    """Return the figures of `model` on all renders in `folders` as one gallery."""
    renders = [render for folder in folders for render in read_index(folder)]
    encoder = load_encoder(model, name="evaluated", device="cpu")
    images = [read_image(render.path) for render in renders]
    gallery = embed(encoder, images)
    kinds = np.array([render.kind for render in renders])
    chance = float(np.mean([(kinds == kind).mean() for kind in kinds]))
    plain = {kind: kind_captions(kind)[1] for kind in sorted(set(kinds.tolist()))}
    other = {kind: text for kind, text in PARAPHRASES.items() if kind in plain}
    defined = {kind: text for kind, text in DEFINITIONS.items() if kind in plain}
    frameworks = [render.framework for render in renders]
    figures = [
        Figure("text -> kind, precision@5", _by_text(encoder, gallery, plain, kinds), chance, 0.7),
        Figure(
            "text -> kind in words not trained on, precision@5",
            _by_text(encoder, gallery, other, kinds),
            chance,
            0.7,
        ),
        Figure(
            "text -> kind in the words of design systems, precision@5",
            _by_text(encoder, gallery, defined, kinds),
            chance,
        ),
        Figure(
            "description -> kind, precision@5", _by_description(encoder, gallery, renders), chance
        ),
        Figure(
            "kind of a picture named right (zero-shot accuracy)",
            _named_right(encoder, gallery, plain, kinds),
            1 / len(plain),
        ),
        Figure(
            "image -> same kind, precision@5",
            _by_image(gallery, kinds),
            chance,
            0.6,
        ),
        Figure(
            "image -> same kind in other frameworks, precision@5",
            _by_image(gallery, kinds, frameworks),
            chance,
        ),
    ]
    for name, disturb in DISTURBANCES.items():
        rng = Random(seed)
        changed = embed(encoder, [disturb(image, rng) for image in images])
        recall = float((np.argmax(changed @ gallery.T, axis=1) == np.arange(len(gallery))).mean())
        target = None if name == "colour" else 0.9
        figures.append(
            Figure(f"same component, recall@1, {name}", recall, 1 / len(gallery), target)
        )
    return figures


def embed(encoder: Encoder, images: Sequence[Image.Image]) -> np.ndarray:
    """Return (N, dim) in batches."""
    pixels = [encoder.preprocess(image) for image in images]
    starts = range(0, len(pixels), BATCH)
    return np.concatenate([encoder.embed_pixels(np.stack(pixels[i : i + BATCH])) for i in starts])


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as a Markdown table."""
    lines = ["| question | value | chance | target |", "| --- | --- | --- | --- |"]
    for figure in figures:
        target = "" if figure.target is None else f"{figure.target:.2f}"
        lines.append(f"| {figure.name} | {figure.value:.3f} | {figure.chance:.3f} | {target} |")
    return "\n".join(lines)


def _by_text(
    encoder: Encoder, gallery: np.ndarray, texts: Mapping[str, str], kinds: np.ndarray
) -> float:
    """One query a kind."""
    queries = encoder.embed_text(list(texts.values()))
    return _precision(queries @ gallery.T, np.array(list(texts)), kinds)


def _by_description(encoder: Encoder, gallery: np.ndarray, renders: Sequence[Render]) -> float:
    """One query a render: its second caption, which says more than the kind."""
    queries = encoder.embed_text([render.captions[1] for render in renders])
    kinds = np.array([render.kind for render in renders])
    return _precision(queries @ gallery.T, kinds, kinds)


def _named_right(
    encoder: Encoder, gallery: np.ndarray, texts: Mapping[str, str], kinds: np.ndarray
) -> float:
    scores = gallery @ encoder.embed_text(list(texts.values())).T
    return float((np.array(list(texts))[scores.argmax(axis=1)] == kinds).mean())


def _by_image(
    gallery: np.ndarray, kinds: np.ndarray, frameworks: Sequence[str] | None = None
) -> float:
    return float(nearest_of_kind(gallery, kinds, frameworks).mean())


def nearest_of_kind(
    gallery: np.ndarray, kinds: np.ndarray, frameworks: Sequence[str] | None = None, k: int = 5
) -> np.ndarray:
    """Return (N,): the share of a picture's `k` nearest that are of its kind.

    Neither the picture itself counts nor, where `frameworks` are given, its whole framework.
    """
    scores = gallery @ gallery.T
    names = np.arange(len(kinds)) if frameworks is None else np.array(frameworks)
    scores[names[:, None] == names[None, :]] = -2
    return _shares(scores, kinds, kinds, k)


def _precision(scores: np.ndarray, wanted: np.ndarray, kinds: np.ndarray, k: int = 5) -> float:
    """Return the mean share of the `k` best that have the wanted kind."""
    return float(_shares(scores, wanted, kinds, k).mean())


def _shares(scores: np.ndarray, wanted: np.ndarray, kinds: np.ndarray, k: int) -> np.ndarray:
    best = np.argsort(-scores, axis=1)[:, :k]
    return (kinds[best] == wanted[:, None]).mean(axis=1)
