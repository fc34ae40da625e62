"""Ranking by several encoders at once: the SQL that fuses their scores by weight.

Each encoder's ANN index gives its own candidates; over their union the weighted score is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg import sql

from library_pipeline.store.ann import nearest
from library_pipeline.store.embeddings import RegisteredEncoder, embedding_table

# As for one encoder: ranked by the score, ties broken by id.
_EXACT = """
select c.component_id, c.name, c.client, c.category, c.tags, c.revision, c.screenshot_sha256,
       {total} as score, {scores}
from pipeline.component c {vectors}
where c.removed_at is null
  and (%(client)s::text is null or c.client = %(client)s)
  and (%(category)s::text is null or c.category = %(category)s)
  and c.component_id is distinct from %(excluding)s
order by score desc, c.component_id limit %(k)s
"""
_BY_INDEX = """
with {candidates},
candidate as materialized ({union})
select c.component_id, c.name, c.client, c.category, c.tags, c.revision, c.screenshot_sha256,
       {total} as score, {scores}
from candidate join pipeline.component c using (screenshot_sha256) {vectors}
where c.removed_at is null and c.component_id is distinct from %(excluding)s
order by score desc, c.component_id limit %(k)s
"""
_COMMA, _PLUS, _UNION = sql.SQL(", "), sql.SQL(" + "), sql.SQL(" union ")


def fused_exactly(encoders: Sequence[RegisteredEncoder]) -> sql.Composed:
    """Return the SELECT over every component, with its score and the one by each encoder."""
    return sql.SQL(_EXACT).format(
        total=_total(encoders), scores=_scores(encoders), vectors=_vectors(encoders)
    )


def fused_by_index(encoders: Sequence[RegisteredEncoder], candidates: int) -> sql.Composed:
    """Return the SELECT over the union of each encoder's candidates, for `read_by_index`."""
    names = [sql.Identifier(f"candidate_{each.id}") for each in encoders]
    parts = [
        sql.SQL("{} as materialized ({})").format(
            name, nearest(each, _query(each), sql.Literal(candidates))
        )
        for name, each in zip(names, encoders, strict=True)
    ]
    union = [sql.SQL("select screenshot_sha256 from {}").format(name) for name in names]
    return sql.SQL(_BY_INDEX).format(
        candidates=_COMMA.join(parts),
        union=_UNION.join(union),
        total=_total(encoders),
        scores=_scores(encoders),
        vectors=_vectors(encoders),
    )


def fused_terms(
    asked: Iterable[tuple[RegisteredEncoder, NDArray[np.float32], float]],
) -> dict[str, object]:
    """Return the parameters of these SELECTs for (encoder, vector, weight): shares of the sum."""
    questions = list(asked)
    whole = sum(weight for _, _, weight in questions)
    terms: dict[str, object] = {}
    for encoder, vector, weight in questions:
        terms[f"query_{encoder.id}"] = HalfVector(vector)
        terms[f"weight_{encoder.id}"] = weight / whole
    return terms


def _total(encoders: Sequence[RegisteredEncoder]) -> sql.Composed:
    weighted = [
        sql.SQL("{}::float8 * ({})").format(sql.Placeholder(f"weight_{each.id}"), _score(each))
        for each in encoders
    ]
    return _PLUS.join(weighted)


def _scores(encoders: Sequence[RegisteredEncoder]) -> sql.Composed:
    return _COMMA.join([_score(each) for each in encoders])


def _score(encoder: RegisteredEncoder) -> sql.Composed:
    return sql.SQL("1 - ({}.vector <=> {})").format(_alias(encoder), _query(encoder))


def _vectors(encoders: Sequence[RegisteredEncoder]) -> sql.Composed:
    joins = [
        sql.SQL("join {} {} using (screenshot_sha256)").format(
            embedding_table(each.id), _alias(each)
        )
        for each in encoders
    ]
    return sql.SQL(" ").join(joins)


def _alias(encoder: RegisteredEncoder) -> sql.Identifier:
    return sql.Identifier(f"e{encoder.id}")


def _query(encoder: RegisteredEncoder) -> sql.Placeholder:
    return sql.Placeholder(f"query_{encoder.id}")
