"""Finding look-alikes. How the library is ranked is `library.match_components` in sql/0008."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import numpy as np
import psycopg
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg import sql
from psycopg.types.json import Jsonb

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.index.embeddings import embedding_table, know_vectors

MOST_RESULTS: Final = 1_000

# Vectors go both ways in binary: as text, 512 numbers take longer to write and read than to rank.
_MATCHES = """
select rank, component_id, name, client, category, tags, source, attributes, revision, updated_at,
       screenshot_sha256, score, scores
from library.match_components(
    array[{vectors}], %(encoders)s, %(weights)s, %(k)s, %(skip)s, %(least_score)s,
    %(clients)s, %(categories)s, %(sources)s, %(tags)s, %(attributes)s, %(excluding)s)
"""


# What `Filters.parameters` bind, as a condition on components; who is excluded is not looked at.
PASSES: Final = """
      (%(clients)s::text[] is null or client = any(%(clients)s))
  and (%(categories)s::text[] is null or category = any(%(categories)s))
  and (%(sources)s::text[] is null or source = any(%(sources)s))
  and (%(tags)s::text[] is null or tags @> %(tags)s)
  and (%(attributes)s::jsonb is null or attributes @> %(attributes)s)
"""


@dataclass(frozen=True, slots=True)
class Question:
    """What one encoder makes of a question: its vector, and what its answer counts.

    `vector` is (dim,) float32, of the encoder's fingerprint; only its direction counts.
    """

    encoder: EncoderInfo
    vector: NDArray[np.float32]
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Filters:
    """Which components may answer. Empty ones let all pass.

    Any of the `clients`, `categories` and `sources`, all of the `tags`; `attributes` must be
    contained in the component's, as PostgreSQL's `@>` has it.
    """

    clients: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    excluding: tuple[str, ...] = ()

    def parameters(self) -> dict[str, Any]:
        """Return what a statement binds: null for what lets all pass."""
        return {
            "clients": list(self.clients) or None,
            "categories": list(self.categories) or None,
            "sources": list(self.sources) or None,
            "tags": list(self.tags) or None,
            "attributes": Jsonb(dict(self.attributes)) if self.attributes else None,
            "excluding": list(self.excluding) or None,
        }


@dataclass(frozen=True, slots=True)
class Match:
    """One search result; `scores` are cosine similarities by encoder, 1 at best.

    `score` is their weighted mean, which results are ranked by; `rank` begins at 1. `folded` are
    the ids of the results that look all but the same and were folded under it, best first.
    """

    rank: int
    component_id: str
    name: str
    client: str
    category: str
    tags: tuple[str, ...]
    source: str
    attributes: Mapping[str, Any]
    revision: str
    updated_at: datetime | None
    screenshot_sha256: str
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

    Leaves out the best `skip`, and what scores less than `least_score`. Each encoder asks once,
    and their weights need not add up to 1. A component that lacks a vector of one of the encoders
    is not found: an encoder becomes active with all of them.
    """
    terms = {
        "encoders": [each.encoder.name for each in questions],
        "weights": [each.weight for each in questions],
        "k": k,
        "skip": skip,
        "least_score": least_score,
    }
    know_vectors(connection)
    vectors = {f"vector{place}": HalfVector(each.vector) for place, each in enumerate(questions)}
    # An array of halfvec has no binary form in the driver, each of its vectors has.
    places = sql.SQL(", ").join(sql.Placeholder(name, "b") for name in vectors)
    statement = sql.SQL(_MATCHES).format(vectors=places)
    rows = connection.execute(statement, {**terms, **vectors, **filters.parameters()})
    return [_match(row) for row in rows]


def _match(row: tuple[Any, ...]) -> Match:
    rank, component_id, name, client, category, tags, *rest = row
    return Match(rank, component_id, name, client, category, tuple(tags), *rest)


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
