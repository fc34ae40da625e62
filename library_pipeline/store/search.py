"""Finding look-alikes: cosine ranking in SQL, by the ANN index where there is one.

One encoder is ranked here; the scores of several are fused in `fusion`, by the same rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import psycopg
from numpy.typing import NDArray
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from psycopg import sql

from library_pipeline.store.ann import ann_index_ready, nearest, read_by_index
from library_pipeline.store.embeddings import RegisteredEncoder, embedding_table
from library_pipeline.store.fusion import fused_by_index, fused_exactly, fused_terms

# Recall@10 is .999 at 200 candidates; some may belong to no searchable component.
LEAST_CANDIDATES: Final = 200
CANDIDATES_PER_RESULT: Final = 10
MOST_CANDIDATES: Final = 1_000  # the most that hnsw.ef_search may be

# Several components may show the same screenshot; each is a result of its own. Ties are
# broken by id, so that the same question has the same answer. Ranked by the score and not by
# `<=>`, which the planner would take for leave to use the ANN index and find less.
_EXACT = """
select c.component_id, c.name, c.client, c.category, c.tags, c.revision, c.screenshot_sha256,
       1 - (e.vector <=> %(query)s) as score
from pipeline.component c join {embedding} e using (screenshot_sha256)
where c.removed_at is null
  and (%(client)s::text is null or c.client = %(client)s)
  and (%(category)s::text is null or c.category = %(category)s)
  and c.component_id is distinct from %(excluding)s
order by score desc, c.component_id limit %(k)s
"""
_BY_INDEX = """
with candidate as materialized ({nearest})
select c.component_id, c.name, c.client, c.category, c.tags, c.revision, c.screenshot_sha256,
       1 - e.distance as score
from candidate e join pipeline.component c using (screenshot_sha256)
where c.removed_at is null and c.component_id is distinct from %(excluding)s
order by score desc, c.component_id limit %(k)s
"""


@dataclass(frozen=True, slots=True)
class Question:
    """What one encoder makes of a question: its vector, and what its answer counts.

    `vector` is (dim,) float32, L2-normalized, of the encoder's fingerprint.
    """

    encoder: RegisteredEncoder
    vector: NDArray[np.float32]
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Match:
    """One search result; `scores` are cosine similarities by encoder, 1 at best.

    `score` is their weighted mean, which results are ranked by.
    """

    component_id: str
    name: str
    client: str
    category: str
    tags: tuple[str, ...]
    revision: str
    screenshot_sha256: str
    score: float
    scores: Mapping[str, float]


def search(
    connection: psycopg.Connection,
    questions: Sequence[Question],
    *,
    k: int = 10,
    client: str | None = None,
    category: str | None = None,
    excluding: str | None = None,
) -> list[Match]:
    """Return the `k` components whose screenshots are most like the questions, best first.

    Each encoder asks once, and their weights need not add up to 1. The answer is exact for a
    client or a category, and wherever an encoder has no ANN index or the indexes give too little;
    else it is exact over the union of each encoder's candidates. A component that lacks a vector
    of one of the encoders is not found: an encoder becomes active with all of them.
    """
    register_vector(connection)
    asked = sorted(questions, key=lambda question: question.encoder.id)
    filters = {"client": client, "category": category, "excluding": excluding, "k": k}
    indexed = client is None and category is None
    if indexed and all(ann_index_ready(connection, each.encoder) for each in asked):
        found = _search_by_index(connection, asked, filters, k)
        # Candidates of removed components and old revisions may have crowded out the others.
        if len(found) == k:
            return found
    return _matches(connection, asked, _exactly(asked), filters)


def candidates_for(k: int) -> int | None:
    """Return how many vectors to take from the ANN index for `k` results, None for too many."""
    wanted = max(LEAST_CANDIDATES, CANDIDATES_PER_RESULT * k)
    return wanted if wanted <= MOST_CANDIDATES else None


def _search_by_index(
    connection: psycopg.Connection,
    asked: Sequence[Question],
    filters: Mapping[str, object],
    k: int,
) -> list[Match]:
    """Return the matches among the candidates, which may be fewer than `k`."""
    candidates = candidates_for(k)
    if candidates is None:
        return []
    with read_by_index(connection, candidates):
        return _matches(connection, asked, _by_index(asked, candidates), filters)


def _exactly(asked: Sequence[Question]) -> sql.Composed:
    if len(asked) > 1:
        return fused_exactly([each.encoder for each in asked])
    return sql.SQL(_EXACT).format(embedding=embedding_table(asked[0].encoder.id))


def _by_index(asked: Sequence[Question], candidates: int) -> sql.Composed:
    if len(asked) > 1:
        return fused_by_index([each.encoder for each in asked], candidates)
    query = sql.Placeholder("query")
    return sql.SQL(_BY_INDEX).format(
        nearest=nearest(asked[0].encoder, query, sql.Literal(candidates))
    )


def _matches(
    connection: psycopg.Connection,
    asked: Sequence[Question],
    statement: sql.Composed,
    filters: Mapping[str, object],
) -> list[Match]:
    names = [each.encoder.name for each in asked]
    if len(asked) > 1:
        terms = fused_terms([(each.encoder, each.vector, each.weight) for each in asked])
    else:
        terms = {"query": HalfVector(asked[0].vector)}
    rows = connection.execute(statement, {**filters, **terms})
    return [_match(names, row) for row in rows]


def _match(names: Sequence[str], row: tuple[Any, ...]) -> Match:
    component_id, name, client, category, tags, revision, digest, score, *each = row
    scores = dict(zip(names, each or [score], strict=True))
    return Match(component_id, name, client, category, tuple(tags), revision, digest, score, scores)


def component_vector(
    connection: psycopg.Connection, encoder: RegisteredEncoder, component_id: str
) -> NDArray[np.float32] | None:
    """Return the (dim,) float32 vector of a component's screenshot, or None if it has none."""
    register_vector(connection)
    statement = sql.SQL(
        """select e.vector from pipeline.component c join {} e using (screenshot_sha256)
           where c.component_id = %s and c.removed_at is null"""
    )
    row = connection.execute(
        statement.format(embedding_table(encoder.id)), (component_id,)
    ).fetchone()
    return row[0].to_numpy().astype(np.float32) if row else None
