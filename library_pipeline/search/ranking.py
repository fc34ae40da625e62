"""Ranking: which components look most like a question, by `library.match_components` (sql/0008)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import psycopg
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg import sql
from psycopg.types.json import Jsonb

from library_pipeline.catalog.component import IndexedComponent
from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.index.embeddings import embedding_table, know_vectors

MAX_RESULTS: Final = 1_000

# Vectors are sent and read in binary: as text, 512 numbers take longer to convert than to rank.
_MATCHES = """
select component_id, name, client, category, screenshot_sha256, tags, source, attributes, revision,
       updated_at, rank, score, scores
from library.match_components(
    array[{vectors}], %(encoders)s, %(weights)s, %(k)s, %(skip)s, %(least_score)s,
    %(clients)s, %(categories)s, %(sources)s, %(tags)s, %(attributes)s, %(excluding)s)
"""


# The condition on components that `Filters.parameters` fill in; it ignores `excluding`.
PASSES: Final = """
      (%(clients)s::text[] is null or client = any(%(clients)s))
  and (%(categories)s::text[] is null or category = any(%(categories)s))
  and (%(sources)s::text[] is null or source = any(%(sources)s))
  and (%(tags)s::text[] is null or tags @> %(tags)s)
  and (%(attributes)s::jsonb is null or attributes @> %(attributes)s)
"""


@dataclass(frozen=True, slots=True)
class Question:
    """A question as one encoder sees it: its vector, and the weight of its answer.

    `vector` is (dim,) float32; its length does not matter.
    """

    encoder: EncoderInfo
    vector: NDArray[np.float32]
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Filters:
    """Which components can be results. An empty filter lets all components pass.

    A component matches any of the `clients`, `categories` and `sources`, and all of the `tags`; its
    attributes contain `attributes` (PostgreSQL's `@>`).
    """

    clients: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    excluding: tuple[str, ...] = ()

    def parameters(self) -> dict[str, Any]:
        """Return the values that a statement binds: null for an empty filter."""
        return {
            "clients": list(self.clients) or None,
            "categories": list(self.categories) or None,
            "sources": list(self.sources) or None,
            "tags": list(self.tags) or None,
            "attributes": Jsonb(dict(self.attributes)) if self.attributes else None,
            "excluding": list(self.excluding) or None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Match(IndexedComponent):
    """One search result; `scores` are cosine similarities by encoder, 1 at best.

    `score` is their weighted mean, which ranks the results; `rank` starts at 1. `folded` are the
    ids of results that look nearly the same and are folded under it, best first.
    """

    rank: int
    score: float
    scores: Mapping[str, float]
    folded: tuple[str, ...] = ()


def search(
    connection: psycopg.Connection,
    questions: Sequence[Question],
    *,
    k: int = 10,
    skip: int = 0,
    least_score: float | None = None,
    filters: Filters = Filters(),
) -> list[Match]:
    """Return the `k` components whose screenshots are most like the questions, best first.

    Leaves out the best `skip` and scores below `least_score`. There is one question for each
    encoder; the weights need not add up to 1. A component without a vector of one of the encoders
    is not found: an encoder becomes active when it covers all components.
    """
    terms = {
        "encoders": [each.encoder.name for each in questions],
        "weights": [each.weight for each in questions],
        "k": k,
        "skip": skip,
        "least_score": least_score,
    }
    know_vectors(connection)
    vectors = {f"vector{index}": HalfVector(each.vector) for index, each in enumerate(questions)}
    # An array of halfvec has no binary form in the driver, each of its vectors has.
    holders = sql.SQL(", ").join(sql.Placeholder(name, "b") for name in vectors)
    statement = sql.SQL(_MATCHES).format(vectors=holders)
    rows = connection.execute(statement, {**terms, **vectors, **filters.parameters()})
    return [_match(row) for row in rows]


def _match(row: tuple[Any, ...]) -> Match:
    *shared, rank, score, scores = row
    component_id, name, client, category, digest, tags, *rest = shared
    facts: tuple[Any, ...] = (component_id, name, client, category, digest, tuple(tags), *rest)
    return Match(*facts, rank=rank, score=score, scores=scores)


def component_vector(
    connection: psycopg.Connection, encoder: EncoderInfo, component_id: str
) -> NDArray[np.float32] | None:
    """Return the (dim,) float32 vector of a component's screenshot, or None if it has none."""
    know_vectors(connection)
    statement = sql.SQL(
        """select e.vector from pipeline.component c join {} e using (screenshot_sha256)
           where c.component_id = %s and c.removed_at is null"""
    )
    row = connection.execute(
        statement.format(embedding_table(encoder.id)), (component_id,), binary=True
    ).fetchone()
    return row[0].to_numpy().astype(np.float32) if row else None


def screenshot_vectors(
    connection: psycopg.Connection, encoder: EncoderInfo, digests: Sequence[str]
) -> dict[str, NDArray[np.float32]]:
    """Return the (dim,) float32 vectors of those of the screenshots `digests` that have one."""
    know_vectors(connection)
    statement = sql.SQL(
        "select screenshot_sha256, vector from {} where screenshot_sha256 = any(%s)"
    )
    rows = connection.execute(
        statement.format(embedding_table(encoder.id)), (list(digests),), binary=True
    )
    return {digest: vector.to_numpy().astype(np.float32) for digest, vector in rows}
