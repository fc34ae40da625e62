"""Finding look-alikes: cosine ranking in SQL, by the ANN index where there is one."""

from __future__ import annotations

from collections.abc import Mapping
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
class Match:
    """One search result; `score` is the cosine similarity to the query, 1 at best."""

    component_id: str
    name: str
    client: str
    category: str
    tags: tuple[str, ...]
    revision: str
    screenshot_sha256: str
    score: float


def search(
    connection: psycopg.Connection,
    encoder: RegisteredEncoder,
    query: NDArray[np.float32],
    *,
    k: int = 10,
    client: str | None = None,
    category: str | None = None,
    excluding: str | None = None,
) -> list[Match]:
    """Return the `k` components whose screenshots are most like `query`, best first.

    `query` is (dim,) float32, L2-normalized, of the same encoder fingerprint. The answer is exact
    for a client or a category, and wherever the encoder has no ANN index or it gives too little.
    """
    register_vector(connection)
    parameters = {
        "query": HalfVector(query),
        "client": client,
        "category": category,
        "excluding": excluding,
        "k": k,
    }
    if client is None and category is None and ann_index_ready(connection, encoder):
        found = _search_by_index(connection, encoder, parameters, k)
        # Candidates of removed components and old revisions may have crowded out the others.
        if len(found) == k:
            return found
    exact = sql.SQL(_EXACT).format(embedding=embedding_table(encoder.id))
    return [_match(row) for row in connection.execute(exact, parameters)]


def candidates_for(k: int) -> int | None:
    """Return how many vectors to take from the ANN index for `k` results, None for too many."""
    wanted = max(LEAST_CANDIDATES, CANDIDATES_PER_RESULT * k)
    return wanted if wanted <= MOST_CANDIDATES else None


def _search_by_index(
    connection: psycopg.Connection,
    encoder: RegisteredEncoder,
    parameters: Mapping[str, object],
    k: int,
) -> list[Match]:
    """Return the matches among the candidates, which may be fewer than `k`."""
    candidates = candidates_for(k)
    if candidates is None:
        return []
    by_index = sql.SQL(_BY_INDEX).format(
        nearest=nearest(encoder, sql.Placeholder("query"), sql.Literal(candidates))
    )
    with read_by_index(connection, candidates):
        return [_match(row) for row in connection.execute(by_index, parameters)]


def _match(row: tuple[Any, ...]) -> Match:
    component_id, name, client, category, tags, revision, digest, score = row
    return Match(component_id, name, client, category, tuple(tags), revision, digest, score)


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
