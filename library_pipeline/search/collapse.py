"""Folding results that look all but the same under the best of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import psycopg
from numpy.typing import NDArray

from library_pipeline.search.ranking import MOST_RESULTS, Match, Question, screenshot_vectors

_DEEPER = 4  # times as many results as are wanted, should most of them be look-alikes


def collapsed(
    connection: psycopg.Connection,
    questions: Sequence[Question],
    threshold: float,
    wanted: int,
    ask: Callable[[int], list[Match]],
) -> list[Match]:
    """Return at most `wanted` matches, no two of which are as alike as `threshold`.

    `ask` returns the best matches, as many as it is told. Alike is the weighted mean of the
    encoders' cosines between two screenshots, as in the ranking. Looks at the 1,000 best at most.
    """
    depth = min(MOST_RESULTS, _DEEPER * wanted)
    while True:
        matches = ask(depth)
        kept = _folded(matches, _vectors(connection, questions, matches), threshold)
        if len(kept) >= wanted or len(matches) < depth or depth == MOST_RESULTS:
            return kept[:wanted]
        depth = min(MOST_RESULTS, _DEEPER * depth)


def _folded(
    matches: Sequence[Match], vectors: NDArray[np.float32], threshold: float
) -> list[Match]:
    """Keep each match unless a better one is as alike as `threshold`; `vectors` (n, d) are theirs.

    Rounding of halves must not keep a picture apart from itself.
    """
    kept: list[int] = []
    under: dict[int, list[str]] = {}
    for place, match in enumerate(matches):
        alike = vectors[kept] @ vectors[place] if kept else np.empty(0, np.float32)
        if alike.size and alike.max() >= threshold - 1e-3:
            under[kept[int(alike.argmax())]].append(match.component_id)
        else:
            kept.append(place)
            under[place] = []
    return [
        replace(matches[place], rank=number, folded=tuple(under[place]))
        for number, place in enumerate(kept, 1)
    ]


def _vectors(
    connection: psycopg.Connection, questions: Sequence[Question], matches: Sequence[Match]
) -> NDArray[np.float32]:
    """Return (n, d) float32 rows whose products are the weighted means of the encoders' cosines."""
    whole = sum(question.weight for question in questions)
    digests = [match.screenshot_sha256 for match in matches]
    parts: list[NDArray[np.float32]] = []
    for question in questions:
        found = screenshot_vectors(connection, question.encoder, digests)
        rows = np.stack([found[digest] for digest in digests]) if digests else np.empty((0, 1))
        parts.append(rows * np.sqrt(question.weight / whole, dtype=np.float32))
    return np.concatenate(parts, axis=1)
