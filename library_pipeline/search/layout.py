"""Layouts: positions in two dimensions for vectors, by principal components or by UMAP."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Final

import numpy as np
from numpy.typing import NDArray

from library_pipeline.catalog.errors import LibraryError
from library_pipeline.search.nearest import Halves, nearest_neighbours, unit

Positions = NDArray[np.float32]
"""(n, 2) positions, both coordinates from 0 to 1."""

MIN_FOR_UMAP: Final = 12
"""UMAP needs this many vectors; principal components show fewer ones just as well."""
UMAP_INSTALL: Final = "pip install 'library-pipeline[atlas]'"
"""The command that installs UMAP."""
_BLOCK: Final = 8192
_NEIGHBOURS: Final = 3
_SEED: Final = 7
_JITTER: Final = 1e-3
_MARGIN: Final = 0.02


class UmapMissing(LibraryError):
    """UMAP is not installed; its message says how to install it."""

    def __init__(self) -> None:
        super().__init__(
            "atlas.umap_missing",
            f"UMAP, which lays out the atlas, is not installed: run {UMAP_INSTALL}",
        )


def umap_is_installed() -> bool:
    """Return whether UMAP can be imported. Does not import it, which takes seconds."""
    return find_spec("umap") is not None


def by_principal_components(vectors: Halves) -> Positions:
    """Return the positions of `vectors` (n, d) along their two principal components."""
    from scipy.linalg import eigh  # noqa: PLC0415 - only who draws a map needs it

    blocks = [vectors[start : start + _BLOCK] for start in range(0, len(vectors), _BLOCK)]
    dim = vectors.shape[1]
    mean = sum(unit(block).sum(0, dtype=np.float64) for block in blocks) / len(vectors)
    covariance = np.zeros((dim, dim))  # scaled by n; block by block, so that memory is bounded
    for block in blocks:
        centred = (unit(block) - mean).astype(np.float32)
        covariance += centred.T @ centred
    axes = eigh(covariance, subset_by_index=(max(0, dim - 2), dim - 1))[1][:, ::-1]
    # The sign of an axis is arbitrary; a fixed choice keeps the map stable.
    axes = axes * np.where(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])] < 0, -1, 1)
    flat = np.zeros((len(vectors), 2))
    flat[:, : axes.shape[1]] = np.concatenate([(unit(block) - mean) @ axes for block in blocks])
    return _scaled(flat)


def by_umap(vectors: Halves, start: Positions, *, anew: bool = True) -> Positions:
    """Return the positions of `vectors` (n, d) by UMAP (https://arxiv.org/abs/1802.03426).

    UMAP begins at the positions `start` and compares by cosine. Unless `anew`, `start` is a map
    that people know: UMAP then changes it only a little. Equal input gives equal positions. Needs
    `MIN_FOR_UMAP` vectors. Raises UmapMissing if UMAP is not installed.
    """
    from scipy.linalg import orthogonal_procrustes  # noqa: PLC0415

    if not umap_is_installed():
        raise UmapMissing
    umap = importlib.import_module("umap")  # takes seconds, and 200 MB
    # UMAP cannot separate vectors that begin at one and the same position.
    jitter = np.random.default_rng(_SEED).normal(0, _JITTER, start.shape)
    reducer = umap.UMAP(
        n_neighbors=min(15, len(vectors) - 1),
        metric="cosine",
        init=(start + jitter).astype(np.float32),
        random_state=_SEED,
        n_jobs=1,
        **({} if anew else {"n_epochs": 100, "learning_rate": 0.1}),
    )
    flat = reducer.fit_transform(unit(vectors))
    # Turn and mirror the result, so that it is as similar to `start` as possible.
    rotation, _ = orthogonal_procrustes(flat - flat.mean(0), start - start.mean(0))
    return _scaled(flat @ rotation)


def beside(fresh: Halves, vectors: Halves, where: Positions) -> Positions:
    """Return a position for each `fresh` vector beside its nearest of `vectors` (n, d).

    It is the mean of the positions `where` of the three nearest, weighted by the inverse cosine
    distance, so that an equal vector gets the same position.
    """
    indexes, cosines = nearest_neighbours(fresh, vectors, min(_NEIGHBOURS, len(vectors)))
    weights = 1 / np.maximum(1 - cosines, 1e-4)
    weights /= weights.sum(1, keepdims=True)
    mean = (where[indexes] * weights[:, :, None]).sum(1)
    return np.clip(mean, 0, 1).astype(np.float32)


def _scaled(flat: NDArray[np.floating]) -> Positions:
    """Return the positions `flat` scaled to 0 to 1: centred, both axes by the same factor."""
    flat = flat.astype(np.float64)
    low, high = flat.min(0), flat.max(0)
    size = max(float((high - low).max()), 1e-9)
    where = 0.5 + (flat - (low + high) / 2) / size * (1 - 2 * _MARGIN)
    return np.clip(where, 0, 1).astype(np.float32)
