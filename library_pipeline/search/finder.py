"""Search by pictures, texts and components: embeds the question and ranks the library."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import psycopg
from numpy.typing import NDArray

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.database.connection import Database, open_database
from library_pipeline.index.encoders import active_encoders
from library_pipeline.search.query import (
    Query,
    UnanswerableError,
    Weights,
    weighted,
)
from library_pipeline.search.ranking import (
    MAX_RESULTS,
    Match,
    Question,
    screenshot_vectors,
    search,
)
from library_pipeline.search.vectors import QuestionVectors
from library_pipeline.settings import EncoderSettings, Settings

_DEEPER = 4  # times the number of results that are wanted, as most of them may be look-alikes


def find_folded(
    connection: psycopg.Connection,
    questions: Sequence[Question],
    threshold: float,
    wanted: int,
    ask: Callable[[int], list[Match]],
) -> list[Match]:
    """Return at most `wanted` matches, no two of which are as alike as `threshold`.

    `ask(k)` returns the `k` best matches. Two matches are as alike as the weighted mean of the
    encoders' cosines between their screenshots. Reads at most the 1,000 best matches.
    """
    depth = min(MAX_RESULTS, _DEEPER * wanted)
    while True:
        matches = ask(depth)
        kept = _folded(matches, _vectors(connection, questions, matches), threshold)
        if len(kept) >= wanted or len(matches) < depth or depth == MAX_RESULTS:
            return kept[:wanted]
        depth = min(MAX_RESULTS, _DEEPER * depth)


def _folded(
    matches: Sequence[Match], vectors: NDArray[np.float32], threshold: float
) -> list[Match]:
    """Fold each match under a better one that is as alike as `threshold`; `vectors` is (n, d)."""
    kept: list[int] = []
    under: dict[int, list[str]] = {}
    for index, match in enumerate(matches):
        alike = vectors[kept] @ vectors[index] if kept else np.empty(0, np.float32)
        # A halfvec is rounded: a picture must still count as equal to itself.
        if alike.size and alike.max() >= threshold - 1e-3:
            under[kept[int(alike.argmax())]].append(match.component_id)
        else:
            kept.append(index)
            under[index] = []
    return [
        replace(matches[index], rank=number, folded=tuple(under[index]))
        for number, index in enumerate(kept, 1)
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


class Finder:
    """Finds components that look like pictures, fit texts or resemble other components.

    It uses the active encoders of the index, also if the configuration has changed since. Safe in
    threads. After each query it calls `answered(query, seconds)`.
    """

    def __init__(
        self,
        database: Database,
        configured: Sequence[EncoderSettings],
        *,
        answered: Callable[[Query, float], None] | None = None,
    ) -> None:
        self._database = database
        self._configured = configured
        self._answered = answered

    def find(self, query: Query) -> list[Match]:
        """Return the components that match `query`, best first.

        Raises SearchError for a query without an answer, EncoderError if a model cannot be loaded.
        """
        started = time.perf_counter()
        found = self._find(query)
        if self._answered:
            self._answered(query, time.perf_counter() - started)
        return found

    def _find(self, query: Query) -> list[Match]:
        vectors = QuestionVectors(self._configured)
        if any(example.component is None for example in query.examples):
            with self._database.connect() as connection:
                encoders = self._encoders(connection, query)
            # Embedding takes long: other requests can use the connection meanwhile.
            vectors.embed(encoders, query.examples)
        with self._database.connect() as connection:
            questions = self._questions(connection, query, vectors)
            examples = [each.component for each in query.examples if each.component is not None]
            excluding = (*query.filters.excluding, *dict.fromkeys(examples))
            filters = replace(query.filters, excluding=excluding)

            def ask(k: int, skip: int = 0) -> list[Match]:
                return search(
                    connection,
                    questions,
                    k=k,
                    skip=skip,
                    least_score=query.least_score,
                    filters=filters,
                )

            if query.collapse is None:
                return ask(query.k, query.skip)
            wanted = query.skip + query.k
            found = find_folded(connection, questions, query.collapse, wanted, ask)
            return found[query.skip :]

    def encoder(
        self, connection: psycopg.Connection, name: str | None = None
    ) -> EncoderInfo | None:
        """Return the active encoder `name`, or the one with the highest weight.

        Returns None if nothing is indexed yet. Raises SearchError for a name that is not active.
        """
        active = active_encoders(connection)
        if not active:
            return None
        weights = self._weighted(active, {name: 1.0} if name else None)
        return max(weights, key=lambda each: weights[each])

    def _encoders(self, connection: psycopg.Connection, query: Query) -> dict[EncoderInfo, float]:
        return self._weighted(active_encoders(connection), query.weights)

    def _weighted(
        self, active: Sequence[EncoderInfo], wanted: Weights | None
    ) -> dict[EncoderInfo, float]:
        configured = {encoder.name: encoder.weight for encoder in self._configured}
        return weighted(active, configured, wanted)

    def _questions(
        self, connection: psycopg.Connection, query: Query, vectors: QuestionVectors
    ) -> list[Question]:
        encoders = self._encoders(connection, query)
        questions = [
            Question(known, vector, weight)
            for known, weight in encoders.items()
            if (vector := vectors.of(connection, known, query.examples)) is not None
        ]
        if missing := vectors.missing(query.examples):
            raise UnanswerableError(
                f"there is no searchable component with the id {missing[0]!r}; "
                "`library-pipeline status` shows the index"
            )
        if not questions:
            names = ", ".join(f"{known.name} ({known.model})" for known in encoders)
            raise UnanswerableError(
                f"none of the encoders of this search reads texts: {names}; search by a picture "
                "or by a component"
            )
        return questions


@contextmanager
def open_finder(settings: Settings) -> Iterator[Finder]:
    """Yield a finder over the library that `settings` name."""
    with open_database(settings) as database:
        yield Finder(database, settings.all_encoders)
