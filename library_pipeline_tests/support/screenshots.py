"""Vectors of screenshots that resemble each other, and their digests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from library_pipeline_tests.support.vectors import digests

Vectors = NDArray[np.float32]
DIM = 24


def clustered(count: int, spread: float = 0.25) -> Vectors:
    """Return (count, DIM) unit vectors in clusters, every tenth twice."""
    random = np.random.default_rng(5)
    centres = random.standard_normal((12, DIM))
    vectors = centres[random.integers(0, 12, count)] + spread * random.standard_normal((count, DIM))
    vectors[1::10] = vectors[::10][: len(vectors[1::10])]
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def digest(number: int) -> str:
    return digests(1, number)[0]
