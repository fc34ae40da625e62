"""A library of any size with two encoders' vectors, as models give them: in clusters, on a cone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.types.json import Jsonb

from library_pipeline.catalog.encoder import EncoderInfo, EncoderSpec
from library_pipeline.index.ann import ensure_ann_index
from library_pipeline.index.embeddings import store_embeddings
from library_pipeline.index.encoders import register_encoder

Vectors = NDArray[np.float32]

DIMENSIONS: Final = {"clip": 512, "dino": 384}
LATENT: Final = 32  # screenshots vary in far fewer ways than a vector has dimensions
CLUSTERS: Final = 1500
STEP: Final = 10_000
RARE, COMMON = "client-rare", "client-common"  # 1% and 20% of the components


@dataclass(frozen=True, slots=True)
class BenchLibrary:
    """The encoders that cover it, and questions that no component answers exactly, by encoder."""

    encoders: tuple[EncoderInfo, ...]
    questions: dict[str, Vectors]


class Shape:
    """How one encoder sees screenshots: a latent point becomes a vector, the same for a seed."""

    def __init__(self, dim: int, seed: int) -> None:
        random = np.random.default_rng(seed)
        self._spread = random.standard_normal((LATENT, dim)).astype(np.float32) / LATENT**0.5
        self._mean = random.standard_normal(dim).astype(np.float32)  # all share a direction
        self._random = random

    def vectors(self, latent: Vectors) -> Vectors:
        """Return (n, dim) unit vectors of (n, LATENT) points, with what each one has of its own."""
        noise = 0.25 * self._random.standard_normal((len(latent), len(self._mean)))
        seen = latent @ self._spread + self._mean + noise.astype(np.float32)
        return seen / np.linalg.norm(seen, axis=1, keepdims=True)


def latents(count: int, seed: int) -> Vectors:
    """Return (count, LATENT) points around centres that are the same for every seed."""
    centres = np.random.default_rng(0).standard_normal((CLUSTERS, LATENT)) * 1.5
    random = np.random.default_rng(seed)
    chosen = centres[random.integers(0, CLUSTERS, count)]
    return (chosen + random.standard_normal((count, LATENT))).astype(np.float32)


def put_library(
    connection: psycopg.Connection, components: int, questions: int = 200
) -> BenchLibrary:
    """Index `components` with vectors by two encoders, build the vector indexes, return questions.

    A twentieth of the components is of the client COMMON times four, a hundredth of RARE.
    """
    shapes = {name: Shape(dim, seed) for seed, (name, dim) in enumerate(DIMENSIONS.items(), 1)}
    encoders = tuple(
        register_encoder(connection, EncoderSpec(name, f"bench/{name}"), fingerprint=name, dim=dim)
        for name, dim in DIMENSIONS.items()
    )
    for start in range(0, components, STEP):
        count = min(STEP, components - start)
        _put(connection, encoders, shapes, start, latents(count, seed=100 + start))
    for encoder in encoders:
        ensure_ann_index(connection, encoder)
    connection.execute("vacuum analyze")
    asked = latents(questions, seed=7)
    return BenchLibrary(encoders, {name: shape.vectors(asked) for name, shape in shapes.items()})


def _put(
    connection: psycopg.Connection,
    encoders: tuple[EncoderInfo, ...],
    shapes: dict[str, Shape],
    start: int,
    points: Vectors,
) -> None:
    numbers = range(start, start + len(points))
    shown = [hashlib.sha256(str(number).encode()).hexdigest() for number in numbers]
    with connection.transaction():
        connection.execute(
            """insert into pipeline.screenshot
               select digest, 'png', 1280, 800, 40000, '' from unnest(%s::text[]) digest""",
            (shown,),
        )
        with connection.cursor().copy(
            """copy pipeline.component (component_id, partition_key, revision, name, client,
                   category, tags, config_sha256, format_sha256, records_sha256,
                   screenshot_sha256, source, attributes) from stdin"""
        ) as copy:
            for number, digest in zip(numbers, shown, strict=True):
                copy.write_row(_component(number, digest))
        for encoder in encoders:
            vectors = shapes[encoder.name].vectors(points)
            store_embeddings(connection, encoder, dict(zip(shown, vectors, strict=True)))


def _component(number: int, digest: str) -> tuple[object, ...]:
    identity = f"bench-{number:06d}"
    share = number * 7919 % 100  # spread over the clusters
    client = RARE if share == 0 else COMMON if share <= 20 else f"client-{share}"
    category = ("hero", "pricing", "footer", "gallery", "form")[number % 5]
    attributes = Jsonb({"theme": "dark" if number % 3 else "light", "columns": number % 4})
    tags = [category, f"tag-{number % 40}"]
    texts = (digest,) * 3
    return (identity, identity, "1", f"Component {number}", client, category, tags, *texts,
            digest, "cms", attributes)  # fmt: skip
