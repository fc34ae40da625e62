"""Look-alikes: pairs of screenshots that look nearly the same, by encoder, kept in PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import psycopg
from psycopg import sql

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.database.connection import sole_lease
from library_pipeline.database.records import Records, read_records, write_records
from library_pipeline.index.embeddings import all_vectors, embedding_table
from library_pipeline.search.nearest import Indexes, Pairs, nearest_pairs

MIN_SIMILARITY: Final = 0.90
"""Pairs of a lower cosine are not kept."""
MAX_PARTNERS: Final = 50
"""A pair is kept if it is among this many best pairs of either screenshot."""

_PAIR: Final = np.dtype([("a", "i4"), ("b", "i4"), ("similarity", "f4")])
_PAIR_COLUMNS = sql.SQL("pipeline.look_alike (encoder_id, a, b, similarity)")


@dataclass(frozen=True, slots=True)
class ComparisonState:
    """How many screenshots of an encoder were compared, and when; `waiting` ones were not yet."""

    compared: int = 0
    waiting: int = 0
    pairs: int = 0
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ComparisonResult:
    """The result of a comparison: how many screenshots were new, and how many pairs are kept."""

    fresh: int
    pairs: int


_STATE = """
select count(*), (select count(*) from {embedding}), max(compared_at),
       (select count(*) from pipeline.look_alike where encoder_id = %(encoder)s)
from pipeline.compared where encoder_id = %(encoder)s
"""


def read_comparison_state(connection: psycopg.Connection, encoder: EncoderInfo) -> ComparisonState:
    """Return how far the screenshots of `encoder` were compared."""
    statement = sql.SQL(_STATE).format(embedding=embedding_table(encoder.id))
    row = connection.execute(statement, {"encoder": encoder.id}).fetchone()
    compared, embedded, at, pairs = row or (0, 0, None, 0)
    return ComparisonState(compared, max(0, embedded - compared), pairs, at)


_PAIRS = """
select a, b, similarity from pipeline.look_alike
where encoder_id = {encoder} and similarity >= {min_similarity}
"""


def read_pairs(
    connection: psycopg.Connection,
    encoder: EncoderInfo,
    min_similarity: float = MIN_SIMILARITY,
) -> Records:
    """Return the kept pairs of `encoder` of at least this similarity.

    The array has the fields `a` and `b` (int32, screenshot numbers) and `similarity` (float32).
    """
    # The column is a real: 0.9 must include the values that were rounded to the real next to it.
    select = sql.SQL(_PAIRS).format(
        encoder=sql.Literal(encoder.id),
        min_similarity=sql.Literal(float(np.float32(min_similarity))),
    )
    return read_records(connection, select, _PAIR)


_ANY_NEW = """
select exists (
    select from {embedding} e where not exists (
        select from pipeline.compared c where c.encoder_id = %(encoder)s
        and c.screenshot_sha256 = e.screenshot_sha256))
"""
_NUMBER = """
insert into pipeline.compared (screenshot_sha256, encoder_id)
select digest, %(encoder)s from unnest(%(digests)s::text[]) digest
returning screenshot_sha256, number
"""


def compare_new(connection: psycopg.Connection, encoder: EncoderInfo) -> ComparisonResult | None:
    """Compare the screenshots that `encoder` embedded since the last comparison with all others.

    Returns None if there are none, or if another process is comparing. A comparison that dies
    stores nothing. 100,000 new vectors take minutes, a few new ones take seconds.
    The connection must be in autocommit mode, and no screenshot may be deleted meanwhile.
    """
    with sole_lease(connection, f"look-alikes of encoder {encoder.id}") as alone:
        statement = sql.SQL(_ANY_NEW).format(embedding=embedding_table(encoder.id))
        row = connection.execute(statement, {"encoder": encoder.id}).fetchone()
        if not alone or not row or not row[0]:
            return None
        digests, vectors = all_vectors(connection, encoder)
        number_of = dict(
            connection.execute(
                "select screenshot_sha256, number from pipeline.compared where encoder_id = %s",
                (encoder.id,),
            ).fetchall()
        )
        numbers = np.array([number_of.get(digest, 0) for digest in digests], np.int32)
        fresh = numbers == 0
        before = read_pairs(connection, encoder)
        pairs = nearest_pairs(
            vectors,
            fresh,
            _pairs_of_indexes(before, numbers),
            floor=MIN_SIMILARITY,
            kept=MAX_PARTNERS,
        )
        with connection.transaction():
            new = [digest for digest, is_new in zip(digests, fresh, strict=True) if is_new]
            terms = {"encoder": encoder.id, "digests": new}
            number_of = dict(connection.execute(_NUMBER, terms).fetchall())
            numbers[fresh] = [number_of[digest] for digest in new]
            _replace_pairs(connection, encoder, before, _pairs_of_numbers(pairs, numbers))
    return ComparisonResult(len(new), len(pairs))


def _pairs_of_indexes(pairs: Records, numbers: Indexes) -> Pairs:
    """Return pairs of screenshot numbers as pairs of indexes into `numbers`.

    Leaves out pairs of screenshots that are gone.
    """
    known = np.isin(pairs["a"], numbers) & np.isin(pairs["b"], numbers)
    pairs = pairs[known]
    order = np.argsort(numbers, kind="stable")
    a, b = (
        order[np.searchsorted(numbers, pairs[side], sorter=order)].astype(np.int32)
        for side in ("a", "b")
    )
    return Pairs(np.minimum(a, b), np.maximum(a, b), np.ascontiguousarray(pairs["similarity"]))


def _pairs_of_numbers(pairs: Pairs, numbers: Indexes) -> Records:
    """Return pairs of indexes into `numbers` as pairs of screenshot numbers."""
    rows = np.empty(len(pairs), _PAIR)
    a, b = numbers[pairs.a], numbers[pairs.b]
    rows["a"], rows["b"] = np.minimum(a, b), np.maximum(a, b)
    rows["similarity"] = pairs.similarity
    return rows


_DELETE = """
delete from pipeline.look_alike p using unnest(%(a)s::integer[], %(b)s::integer[]) gone (a, b)
where (p.a, p.b) = (gone.a, gone.b)
"""


def _replace_pairs(
    connection: psycopg.Connection, encoder: EncoderInfo, before: Records, after: Records
) -> None:
    """Replace the stored pairs `before` by `after`; only the difference is written."""
    old, new = (pairs["a"].astype(np.int64) << 32 | pairs["b"] for pairs in (before, after))
    gone = before[~np.isin(old, new)]
    if len(gone):
        connection.execute(_DELETE, {"a": gone["a"].tolist(), "b": gone["b"].tolist()})
    added = after[~np.isin(new, old)]
    rows = np.empty(len(added), np.dtype([("encoder_id", "i4"), *_PAIR.descr]))
    rows["encoder_id"] = encoder.id
    for name in ("a", "b", "similarity"):
        rows[name] = added[name]
    write_records(connection, _PAIR_COLUMNS, rows)
