"""The nearest vectors by cosine: exact, computed in blocks that bound the memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Halves = NDArray[np.float16]
Floats = NDArray[np.float32]
Indexes = NDArray[np.int32]
Flags = NDArray[np.bool_]

_ROWS, _COLUMNS = 1024, 8192  # a block of products takes 32 MB
_MAX_CANDIDATES: Final = 1_000_000  # of one block


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of indexes into an array of vectors, where `a` < `b`, with their cosines."""

    a: Indexes
    b: Indexes
    similarity: Floats

    def __len__(self) -> int:
        return len(self.a)


NO_PAIRS: Final = Pairs(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32))


def nearest_pairs(vectors: Halves, fresh: Flags, known: Pairs, *, floor: float, kept: int) -> Pairs:
    """Return the pairs of cosine `floor` or more that are among the `kept` best of either vector.

    Only the `fresh` rows of `vectors` (n, d) are compared, with all rows; `known` holds the pairs
    of the other rows from an earlier call. Increments therefore give the same pairs as one call
    for all, as long as no vector is removed. Of equal cosines the lower index wins.
    """
    best = _BestPartners(len(vectors), floor, kept)
    best.offer(known.a, known.b, known.similarity)
    order = np.concatenate([np.flatnonzero(fresh), np.flatnonzero(~fresh)]).astype(np.int32)
    for start in range(0, int(fresh.sum()), _ROWS):
        rows = order[start : min(start + _ROWS, int(fresh.sum()))]
        left = unit(vectors[rows])
        for column in range(start, len(order), _COLUMNS):
            columns = order[column : column + _COLUMNS]
            products = left @ unit(vectors[columns]).T
            if column == start:  # each pair once, and no vector with itself
                products[:, : len(rows)][np.tri(len(rows), dtype=bool)] = -2
            best.offer(*_candidates(products, rows, columns, best))
    return best.pairs()


def nearest_neighbours(queries: Halves, vectors: Halves, k: int) -> tuple[Indexes, Floats]:
    """Return the indexes (q, k) of the `k` nearest `vectors` (n, d) of each query, and cosines.

    The nearest come first. `vectors` must have at least `k` rows.
    """
    indexes, cosines = [], []
    for start in range(0, len(queries), _ROWS):
        left = unit(queries[start : start + _ROWS])
        best = np.empty((len(left), 0), np.float32)
        which = np.empty((len(left), 0), np.int32)
        for column in range(0, len(vectors), _COLUMNS):
            products = left @ unit(vectors[column : column + _COLUMNS]).T
            numbers = np.arange(column, column + products.shape[1], dtype=np.int32)
            best = np.concatenate([best, products], axis=1)
            which = np.concatenate([which, np.broadcast_to(numbers, products.shape)], axis=1)
            order = np.argpartition(-best, min(k, best.shape[1]) - 1, axis=1)[:, :k]
            best = np.take_along_axis(best, order, axis=1)
            which = np.take_along_axis(which, order, axis=1)
        order = np.argsort(-best, axis=1, kind="stable")
        indexes.append(np.take_along_axis(which, order, axis=1))
        cosines.append(np.take_along_axis(best, order, axis=1))
    return np.concatenate(indexes), np.concatenate(cosines)


def unit(vectors: NDArray[np.floating]) -> Floats:
    """Return `vectors` (n, d) as float32 of norm 1, since float16 rounds the norm."""
    whole = vectors.astype(np.float32)
    norms = np.linalg.norm(whole, axis=1, keepdims=True)
    return whole / np.maximum(norms, np.finfo(np.float32).tiny)


class _BestPartners:
    """The best partners of each vector among the pairs offered so far, best first."""

    def __init__(self, count: int, floor: float, kept: int) -> None:
        self.kept = kept
        self._none = count
        self._partner = np.full((count, kept), count, np.int32)
        self._similarity = np.zeros((count, kept), np.float32)
        self.min_similarity = np.full(count, floor, np.float32)
        """The similarity that a new partner of each vector needs."""

    def offer(self, a: Indexes, b: Indexes, similarity: Floats) -> None:
        """Add pairs that were not offered before."""
        if not len(a):
            return
        touched = np.unique(np.concatenate([a, b]))
        owner = np.concatenate([a, b, np.repeat(touched, self.kept)])
        partner = np.concatenate([b, a, self._partner[touched].ravel()])
        cosine = np.concatenate([similarity, similarity, self._similarity[touched].ravel()])
        real = partner < self._none
        owner, partner, cosine = owner[real], partner[real], cosine[real]
        order = np.lexsort((partner, -cosine, owner))
        owner, partner, cosine = owner[order], partner[order], cosine[order]
        rank = np.arange(len(owner)) - np.searchsorted(owner, owner)
        stays = rank < self.kept
        self._partner[owner[stays], rank[stays]] = partner[stays]
        self._similarity[owner[stays], rank[stays]] = cosine[stays]
        full = touched[self._partner[touched, -1] < self._none]
        self.min_similarity[full] = self._similarity[full, -1]

    def pairs(self) -> Pairs:
        """Return, once each, the pairs that are among the best of either vector."""
        owner, rank = np.nonzero(self._partner < self._none)
        partner, cosine = self._partner[owner, rank], self._similarity[owner, rank]
        low, high = np.minimum(owner, partner), np.maximum(owner, partner)
        _, first = np.unique(low.astype(np.int64) * self._none + high, return_index=True)
        return Pairs(low[first].astype(np.int32), high[first].astype(np.int32), cosine[first])


def _candidates(
    products: Floats, rows: Indexes, columns: Indexes, best: _BestPartners
) -> tuple[Indexes, Indexes, Floats]:
    """Return the pairs of a block that may be among the best of one of their two vectors."""
    of_rows, of_columns = best.min_similarity[rows], best.min_similarity[columns]
    passing = (products >= of_rows[:, None]) | (products >= of_columns)
    if np.count_nonzero(passing) > _MAX_CANDIDATES:  # only the best of the block itself can count
        of_rows = np.maximum(of_rows, _kth_largest(products, best.kept))
        of_columns = np.maximum(of_columns, _kth_largest(products.T, best.kept))
        passing = (products >= of_rows[:, None]) | (products >= of_columns)
    row, column = np.nonzero(passing)
    return rows[row], columns[column], products[row, column]


def _kth_largest(products: Floats, k: int) -> Floats:
    """Return the k-th largest value of each row, or the smallest of a row shorter than `k`."""
    index = max(0, products.shape[1] - k)
    return np.partition(products, index, axis=1)[:, index]
