"""Finding look-alikes: exact cosine ranking in SQL."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import psycopg
from numpy.typing import NDArray
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from psycopg import sql

from library_pipeline.store.embeddings import RegisteredEncoder, embedding_table

# Several components may show the same screenshot; each is a result of its own. Ties are
# broken by id, so that the same question has the same answer.
_SEARCH = """
select c.component_id, c.name, c.client, c.category, c.tags, c.revision, c.screenshot_sha256,
       1 - (e.vector <=> %(query)s) as score
from pipeline.component c join {embedding} e using (screenshot_sha256)
where c.removed_at is null
  and (%(client)s::text is null or c.client = %(client)s)
  and (%(category)s::text is null or c.category = %(category)s)
  and c.component_id is distinct from %(excluding)s
order by e.vector <=> %(query)s, c.component_id limit %(k)s
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

    `query` is (dim,) float32, L2-normalized, of the same encoder fingerprint.
    """
    register_vector(connection)
    statement = sql.SQL(_SEARCH).format(embedding=embedding_table(encoder.id))
    rows = connection.execute(
        statement,
        {
            "query": HalfVector(query),
            "client": client,
            "category": category,
            "excluding": excluding,
            "k": k,
        },
    )
    return [
        Match(component_id, name, group, kind, tuple(tags), revision, digest, score)
        for component_id, name, group, kind, tags, revision, digest, score in rows
    ]


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
