"""Batches in which most wrong answers look alike: one kind, and often one content in many looks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

TWINS = 6  # renders of one seed, so of one content, that stand together in a batch
GROUP = 2 * TWINS  # renders of one kind, of two seeds as a rule


def hard_batches(
    kinds: np.ndarray, seeds: np.ndarray, size: int, rng: np.random.Generator
) -> Iterator[torch.Tensor]:
    """Yield row numbers, `size` at a time; an epoch visits nearly every row once.

    Only telling twins apart teaches what survives a crop and differs between two frameworks.
    """
    groups = np.concatenate([_groups(kinds == kind, seeds, rng) for kind in np.unique(kinds)])
    rng.shuffle(groups)
    rows = groups.reshape(-1)
    for start in range(0, len(rows) - size + 1, size):
        yield torch.from_numpy(rows[start : start + size])


def _groups(chosen: np.ndarray, seeds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (groups, GROUP) rows of one kind, twins next to each other."""
    rows = np.flatnonzero(chosen)
    _, contents = np.unique(seeds[rows], return_inverse=True)
    places = rng.permutation(contents.max() + 1)[contents]
    order = rows[np.lexsort((rng.random(len(rows)), places))]
    twins = order[: len(order) // TWINS * TWINS].reshape(-1, TWINS)
    rng.shuffle(twins)
    return twins[: len(twins) // 2 * 2].reshape(-1, GROUP)
