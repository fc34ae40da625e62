"""Which vectors are nearest to which, exactly, in blocks whose memory is bounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Halves = NDArray[np.float16]
Floats = NDArray[np.float32]
Places = NDArray[np.int32]
Flags = NDArray[np.bool_]

_ROWS, _COLUMNS = 1024, 8192  # a block of products takes 32 MB
_MANY: Final = 1_000_000  # passing entries of a block


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of places in an array of vectors, `a` less than `b`, with their cosines."""

    a: Places
    b: Places
    similarity: Floats

    def __len__(self) -> int:
        return len(self.a)


NO_PAIRS: Final = Pairs(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32))


def nearest_pairs(vectors: Halves, fresh: Flags, known: Pairs, *, floor: float, kept: int) -> Pairs:
    """Return the pairs of at least `floor` that are among the `kept` best of either one.

    Only the `fresh` ones of `vectors` (n, d) are held against all; `known` has the pairs of the
    others, as an earlier call gave them. So increments give what one whole run gives, as long as
    no vector has left. Ties go to the lower place.
    """
    best = _Best(len(vectors), floor, kept)
    best.offer(known.a, known.b, known.similarity)
    order = np.concatenate([np.flatnonzero(fresh), np.flatnonzero(~fresh)]).astype(np.int32)
    for start in range(0, int(fresh.sum()), _ROWS):
        rows = order[start : min(start + _ROWS, int(fresh.sum()))]
        left = unit(vectors[rows])
        for column in range(start, len(order), _COLUMNS):
            columns = order[column : column + _COLUMNS]
            products = left @ unit(vectors[columns]).T
            if column == start:  # each pair once, and none with itself
                products[:, : len(rows)][np.tri(len(rows), dtype=bool)] = -2
            best.offer(*_passing(products, rows, columns, best))
    return best.pairs()


def nearest_neighbours(queries: Halves, vectors: Halves, k: int) -> tuple[Places, Floats]:
    """Return places (q, k) of the `k` of `vectors` (n, d) nearest to each query, and cosines.

    The nearest come first; there must be `k` vectors.
    """
    places, cosines = [], []
    for start in range(0, len(queries), _ROWS):
        left = unit(queries[start : start + _ROWS])
        found = np.empty((len(left), 0), np.float32)
        which = np.empty((len(left), 0), np.int32)
        for column in range(0, len(vectors), _COLUMNS):
            products = left @ unit(vectors[column : column + _COLUMNS]).T
            numbers = np.arange(column, column + products.shape[1], dtype=np.int32)
            found = np.concatenate([found, products], axis=1)
            which = np.concatenate([which, np.broadcast_to(numbers, products.shape)], axis=1)
            order = np.argpartition(-found, min(k, found.shape[1]) - 1, axis=1)[:, :k]
            found = np.take_along_axis(found, order, axis=1)
            which = np.take_along_axis(which, order, axis=1)
        order = np.argsort(-found, axis=1, kind="stable")
        places.append(np.take_along_axis(which, order, axis=1))
        cosines.append(np.take_along_axis(found, order, axis=1))
    return np.concatenate(places), np.concatenate(cosines)


def unit(vectors: NDArray[np.floating]) -> Floats:
    """Return `vectors` (n, d) as float32 of norm 1; halves have lost a little of it."""
    whole = vectors.astype(np.float32)
    norms = np.linalg.norm(whole, axis=1, keepdims=True)
    return whole / np.maximum(norms, np.finfo(np.float32).tiny)


class _Best:
    """The best partners that each place has been offered so far, best first."""

    def __init__(self, count: int, floor: float, kept: int) -> None:
        self.kept = kept
        self._none = count
        self._partner = np.full((count, kept), count, np.int32)
        self._similarity = np.zeros((count, kept), np.float32)
        self.least = np.full(count, floor, np.float32)
        """What a similarity must be at least to be among them, by place."""

    def offer(self, a: Places, b: Places, similarity: Floats) -> None:
        """Take in pairs that have not been offered before."""
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
        self.least[full] = self._similarity[full, -1]

    def pairs(self) -> Pairs:
        """Return each pair once that is among the best of either."""
        owner, rank = np.nonzero(self._partner < self._none)
        partner, cosine = self._partner[owner, rank], self._similarity[owner, rank]
        low, high = np.minimum(owner, partner), np.maximum(owner, partner)
        _, first = np.unique(low.astype(np.int64) * self._none + high, return_index=True)
        return Pairs(low[first].astype(np.int32), high[first].astype(np.int32), cosine[first])


def _passing(
    products: Floats, rows: Places, columns: Places, best: _Best
) -> tuple[Places, Places, Floats]:
    """Return the entries that one of their two places may have among its best."""
    of_rows, of_columns = best.least[rows], best.least[columns]
    passing = (products >= of_rows[:, None]) | (products >= of_columns)
    if np.count_nonzero(passing) > _MANY:  # no more than the best of the block itself can count
        of_rows = np.maximum(of_rows, _kth(products, best.kept))
        of_columns = np.maximum(of_columns, _kth(products.T, best.kept))
        passing = (products >= of_rows[:, None]) | (products >= of_columns)
    row, column = np.nonzero(passing)
    return rows[row], columns[column], products[row, column]


def _kth(products: Floats, k: int) -> Floats:
    """Return the k-th largest of each row, the least of one that has not so many."""
    place = max(0, products.shape[1] - k)
    return np.partition(products, place, axis=1)[:, place]
