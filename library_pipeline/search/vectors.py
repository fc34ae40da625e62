"""Vectors of a query: for each encoder, the weighted sum of its examples' vectors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import psycopg
from numpy.typing import NDArray

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.encoders import Encoder
from library_pipeline.index.encoders import load_registered
from library_pipeline.search.query import Example, SearchError
from library_pipeline.search.ranking import component_vector
from library_pipeline.settings import EncoderSettings

_MIN_NORM = 1e-3


@dataclass(slots=True)
class QuestionVectors:
    """Computes the vectors of examples; loads models only for pictures and texts."""

    configured: Sequence[EncoderSettings]
    _found: set[str] = field(default_factory=set[str])
    _embedded: dict[tuple[int, int], NDArray[np.float32] | None] = field(
        default_factory=dict[tuple[int, int], NDArray[np.float32] | None]
    )

    def embed(self, asked: Iterable[EncoderInfo], examples: Sequence[Example]) -> None:
        """Embed the pictures and texts in advance; this may take seconds."""
        for known in asked:
            for index, example in enumerate(examples):
                if example.component is None:
                    self._embedded[known.id, index] = self._embed(known, example)

    def of(
        self,
        connection: psycopg.Connection,
        known: EncoderInfo,
        examples: Sequence[Example],
    ) -> NDArray[np.float32] | None:
        """Return (dim,) float32 of norm 1, or None if `known` reads no example of positive weight.

        It is the weighted sum of the examples' unit vectors; negative examples are subtracted
        (Rocchio, 1971). Raises SearchError if the examples cancel each other out.
        """
        seen = [
            (example.weight, self._one(connection, known, index, example))
            for index, example in enumerate(examples)
        ]
        understood = [(weight, vector) for weight, vector in seen if vector is not None]
        if not any(weight > 0 for weight, _ in understood):
            return None
        total = np.sum([weight * vector for weight, vector in understood], axis=0)
        norm = float(np.linalg.norm(total))
        if norm < _MIN_NORM:
            raise SearchError("the examples cancel each other out; give one of them less weight")
        return (total / norm).astype(np.float32)

    def _one(
        self, connection: psycopg.Connection, known: EncoderInfo, index: int, example: Example
    ) -> NDArray[np.float32] | None:
        if example.component is not None:
            vector = component_vector(connection, known, example.component)
            if vector is not None:
                self._found.add(example.component)
            return vector
        if (known.id, index) not in self._embedded:  # the encoder became active after `embed`
            self._embedded[known.id, index] = self._embed(known, example)
        return self._embedded[known.id, index]

    def _embed(self, known: EncoderInfo, example: Example) -> NDArray[np.float32] | None:
        encoder = self._load(known)
        if example.text is not None:
            return encoder.embed_text(example.text) if encoder.reads_text else None
        return encoder.embed_image(example.pixels)

    def _load(self, known: EncoderInfo) -> Encoder:
        return load_registered(known, self.configured)

    def missing(self, examples: Sequence[Example]) -> list[str]:
        """Return the ids of example components that no encoder has a vector of."""
        asked = [each.component for each in examples if each.component is not None]
        return [each for each in asked if each not in self._found]
