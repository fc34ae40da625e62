"""Two dimensions for vectors: principal components, UMAP, and places beside what is placed."""

from __future__ import annotations

import importlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from library_pipeline.search.near import Halves, nearest_neighbours, unit
from library_pipeline.store.atlas import Positions

LEAST_FOR_UMAP: Final = 12
"""Fewer have too few neighbours for UMAP, and principal components show them as well."""
_BLOCK: Final = 8192
_BESIDE: Final = 3
_SEED: Final = 7
_ITERATIONS: Final = 30
_APART: Final = 1e-3
_MARGIN: Final = 0.02


def by_components(vectors: Halves) -> Positions:
    """Return (n, 2) positions along the two principal components of `vectors` (n, d)."""
    mean = sum(unit(block).sum(0, dtype=np.float64) for block in _blocks(vectors)) / len(vectors)
    spread = np.zeros((vectors.shape[1], vectors.shape[1]))
    for block in _blocks(vectors):
        centred = (unit(block) - mean).astype(np.float32)
        spread += centred.T @ centred
    axes = _leading(spread)
    # An axis may point either way; always the same one keeps the map as it was.
    axes = axes * np.where(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])] < 0, -1, 1)
    along = np.concatenate([(unit(block) - mean) @ axes for block in _blocks(vectors)])
    flat = np.zeros((len(vectors), 2))
    flat[:, : along.shape[1]] = along
    return _scaled(flat)


def _leading(spread: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (d, 2) leading eigenvectors of `spread` (d, d), near enough for a map.

    Subspace iteration, as a whole decomposition takes a second for 1,000 dimensions.
    """
    start = np.random.default_rng(_SEED).standard_normal((len(spread), min(8, len(spread))))
    axes = np.linalg.qr(start)[0]
    for _ in range(_ITERATIONS):
        axes = np.linalg.qr(spread @ axes)[0]
    turned = np.linalg.eigh(axes.T @ spread @ axes)[1][:, ::-1][:, :2]
    return axes @ turned


def by_umap(vectors: Halves, start: Positions, *, anew: bool = True) -> Positions:
    """Return (n, 2) positions by UMAP (McInnes et al., https://arxiv.org/abs/1802.03426).

    Neighbours are by cosine, and the same gives the same. It sets out from the positions `start`;
    unless it begins `anew`, these are of a map to be recognized, which is only put right. Needs
    `LEAST_FOR_UMAP` vectors.
    """
    umap = importlib.import_module("umap")  # takes seconds, and 200 MB
    apart = np.random.default_rng(_SEED).normal(0, _APART, start.shape)
    reducer = umap.UMAP(
        n_neighbors=min(15, len(vectors) - 1),
        metric="cosine",
        init=(start + apart).astype(np.float32),  # all in one place cannot be pushed apart
        random_state=_SEED,
        n_jobs=1,
        **({} if anew else {"n_epochs": 100, "learning_rate": 0.1}),
    )
    return _scaled(_turned(reducer.fit_transform(unit(vectors)), start))


def beside(fresh: Halves, vectors: Halves, where: Positions) -> Positions:
    """Return positions for the `fresh` vectors, each among its nearest of `vectors` (n, d).

    The mean of the positions `where` (n, 2) of the three nearest, the more alike the heavier: by
    the inverse of the cosine distance, so that an equal one takes the very place.
    """
    places, cosines = nearest_neighbours(fresh, vectors, min(_BESIDE, len(vectors)))
    weights = 1 / np.maximum(1 - cosines, 1e-4)
    weights /= weights.sum(1, keepdims=True)
    mean = (where[places] * weights[:, :, None]).sum(1)
    return np.clip(mean, 0, 1).astype(np.float32)


def _turned(flat: Positions, like: Positions) -> Positions:
    """Return positions turned and mirrored to lie as much like `like` as they can.

    The orthogonal Procrustes problem, by Schoenemann (1966).
    """
    left, _, right = np.linalg.svd((flat - flat.mean(0)).T @ (like - like.mean(0)))
    return flat @ (left @ right)


def _scaled(flat: NDArray[np.floating]) -> Positions:
    """Return positions in 0 to 1, the same scale for both axes, in the middle of the other."""
    flat = flat.astype(np.float64)
    low, high = flat.min(0), flat.max(0)
    size = max(float((high - low).max()), 1e-9)
    where = 0.5 + (flat - (low + high) / 2) / size * (1 - 2 * _MARGIN)
    return np.clip(where, 0, 1).astype(np.float32)


def _blocks(vectors: Halves) -> list[Halves]:
    return [vectors[start : start + _BLOCK] for start in range(0, len(vectors), _BLOCK)]
