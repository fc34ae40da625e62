"""Holding screenshots that are new against all others, to find those that look the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import psycopg

from library_pipeline.search.near import Pairs, nearest_pairs
from library_pipeline.store.embeddings import RegisteredEncoder, all_vectors
from library_pipeline.store.leases import sole_lease
from library_pipeline.store.look_alikes import (
    FLOOR,
    KEPT,
    PAIR,
    anything_uncompared,
    compared_numbers,
    look_alike_pairs,
    number_screenshots,
    replace_pairs,
)
from library_pipeline.store.records import Records


@dataclass(frozen=True, slots=True)
class Compared:
    """What a comparison did: screenshots that were new to it, pairs that there are by now."""

    fresh: int
    pairs: int


def compare_new(connection: psycopg.Connection, encoder: RegisteredEncoder) -> Compared | None:
    """Compare the screenshots that `encoder` has embedded since the last time with all it has.

    Returns None where there are none, or somebody else is at it. Nothing is stored of a comparison
    that dies; 100,000 vectors take minutes, a few new ones among them seconds. Needs a connection
    in autocommit mode, and that no screenshot is deleted meanwhile.
    """
    with sole_lease(connection, f"look-alikes of encoder {encoder.id}") as alone:
        if not alone or not anything_uncompared(connection, encoder):
            return None
        digests, vectors = all_vectors(connection, encoder)
        numbers = compared_numbers(connection, encoder)
        numbered = np.array([numbers.get(digest, 0) for digest in digests], np.int32)
        fresh = numbered == 0
        before = look_alike_pairs(connection, encoder)
        known = _placed(before, numbered)
        found = nearest_pairs(vectors, fresh, known, floor=FLOOR, kept=KEPT)
        with connection.transaction():
            new = [digest for digest, is_new in zip(digests, fresh, strict=True) if is_new]
            given = number_screenshots(connection, encoder, new)
            numbered[fresh] = [given[digest] for digest in new]
            replace_pairs(connection, encoder, before, _numbered(found, numbered))
    return Compared(len(new), len(found))


def _placed(pairs: Records, numbered: np.ndarray[tuple[int], np.dtype[np.int32]]) -> Pairs:
    """Return pairs of numbers as pairs of places in `numbered`."""
    order = np.argsort(numbered, kind="stable")
    a, b = (
        order[np.searchsorted(numbered, pairs[side], sorter=order)].astype(np.int32)
        for side in ("a", "b")
    )
    return Pairs(np.minimum(a, b), np.maximum(a, b), np.ascontiguousarray(pairs["similarity"]))


def _numbered(pairs: Pairs, numbered: np.ndarray[tuple[int], np.dtype[np.int32]]) -> Records:
    """Return pairs of places in `numbered` as pairs of numbers."""
    rows = np.empty(len(pairs), PAIR)
    a, b = numbered[pairs.a], numbered[pairs.b]
    rows["a"], rows["b"] = np.minimum(a, b), np.maximum(a, b)
    rows["similarity"] = pairs.similarity
    return rows
