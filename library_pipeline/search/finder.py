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
from library_pipeline.encoders import read_image
from library_pipeline.encoders.image import ImageSource
from library_pipeline.index.encoders import active_encoders
from library_pipeline.search.query import (
    Example,
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


class Finder:
    """Answers which components look like pictures, fit texts or resemble components.

    It asks the index's active encoders, whatever is configured by now. Safe in threads. What it
    answered, and in how many seconds, `answered` is told.
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
        """Return the components that answer `query`, best first.

        Raises SearchError where it cannot be answered, EncoderError where a model cannot be had.
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
                asked = self._asked(connection, query)
            vectors.embed(asked, query.examples)  # while no connection is kept from others
        with self._database.connect() as connection:
            questions = self._questions(connection, query, vectors)
            asked = [each.component for each in query.examples if each.component is not None]
            filters = replace(
                query.filters, excluding=(*query.filters.excluding, *dict.fromkeys(asked))
            )

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
            found = collapsed(connection, questions, query.collapse, wanted, ask)
            return found[query.skip :]

    def by_picture(
        self, picture: ImageSource, *, k: int = 10, weights: Weights | None = None
    ) -> list[Match]:
        """Return the `k` components most like `picture`. Raises ImageError for a bad picture."""
        return self.find(Query((Example(picture=read_image(picture)),), k, weights=weights))

    def by_text(self, text: str, *, k: int = 10, weights: Weights | None = None) -> list[Match]:
        """Return the `k` components that fit `text` best, by the encoders that read texts."""
        return self.find(Query((Example(text=text),), k, weights=weights))

    def like_component(
        self, component_id: str, *, k: int = 10, weights: Weights | None = None
    ) -> list[Match]:
        """Return the `k` components most like another one, which is left out; loads no model."""
        return self.find(Query((Example(component=component_id),), k, weights=weights))

    def encoder(
        self, connection: psycopg.Connection, name: str | None = None
    ) -> EncoderInfo | None:
        """Return the active encoder called `name`, else the one that counts most.

        None where nothing is indexed yet. Raises SearchError for a name that is not active.
        """
        active = active_encoders(connection)
        if not active:
            return None
        asked = self._weighted(active, {name: 1.0} if name else None)
        return max(asked, key=lambda each: asked[each])

    def _asked(self, connection: psycopg.Connection, query: Query) -> dict[EncoderInfo, float]:
        return self._weighted(active_encoders(connection), query.weights)

    def _weighted(
        self, active: Sequence[EncoderInfo], wanted: Weights | None
    ) -> dict[EncoderInfo, float]:
        configured = {encoder.name: encoder.weight for encoder in self._configured}
        return weighted(active, configured, wanted)

    def _questions(
        self, connection: psycopg.Connection, query: Query, vectors: QuestionVectors
    ) -> list[Question]:
        asked = self._asked(connection, query)
        questions = [
            Question(known, vector, weight)
            for known, weight in asked.items()
            if (vector := vectors.of(connection, known, query.examples)) is not None
        ]
        if missing := vectors.missing(query.examples):
            raise UnanswerableError(
                f"there is no searchable component with the id {missing[0]!r}; "
                "`library-pipeline status` says what is indexed"
            )
        if not questions:
            names = ", ".join(f"{known.name} ({known.model})" for known in asked)
            raise UnanswerableError(
                f"none of the encoders that were asked reads texts: {names}; search by a picture "
                "or by a component"
            )
        return questions


@contextmanager
def open_finder(settings: Settings) -> Iterator[Finder]:
    """Yield a finder over the configured library."""
    with open_database(settings) as database:
        yield Finder(database, settings.all_encoders)
