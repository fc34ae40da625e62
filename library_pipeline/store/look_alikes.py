"""Pairs of screenshots that look all but the same, by encoder, and which have been compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import psycopg
from psycopg import sql

from library_pipeline.store.embeddings import RegisteredEncoder, embedding_table
from library_pipeline.store.records import Records, read_records, write_records

FLOOR: Final = 0.90
"""The least similarity of a pair that is kept."""
KEPT: Final = 50
"""A pair is kept if it is among so many best of either screenshot."""

PAIR: Final = np.dtype([("a", "i4"), ("b", "i4"), ("similarity", "f4")])

_PAIRS = """
select a, b, similarity from pipeline.look_alike
where encoder_id = {encoder} and similarity >= {least}
"""
_STATE = """
select count(*), (select count(*) from {embedding}), max(compared_at),
       (select count(*) from pipeline.look_alike where encoder_id = %(encoder)s)
from pipeline.compared where encoder_id = %(encoder)s
"""
_UNCOMPARED = """
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
_FORGET = """
delete from pipeline.look_alike p using unnest(%(a)s::integer[], %(b)s::integer[]) gone (a, b)
where (p.a, p.b) = (gone.a, gone.b)
"""
_INTO = sql.SQL("pipeline.look_alike (encoder_id, a, b, similarity)")


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far an encoder's screenshots have been compared; `waiting` ones have a vector only."""

    compared: int
    waiting: int
    pairs: int
    at: datetime | None


def comparison(connection: psycopg.Connection, encoder: RegisteredEncoder) -> Comparison:
    """Return how far the screenshots of `encoder` have been compared."""
    state = sql.SQL(_STATE).format(embedding=embedding_table(encoder.id))
    row = connection.execute(state, {"encoder": encoder.id}).fetchone()
    compared, embedded, at, pairs = row or (0, 0, None, 0)
    return Comparison(compared, max(0, embedded - compared), pairs, at)


def anything_uncompared(connection: psycopg.Connection, encoder: RegisteredEncoder) -> bool:
    """Whether a screenshot has a vector of `encoder` and has not been compared."""
    statement = sql.SQL(_UNCOMPARED).format(embedding=embedding_table(encoder.id))
    row = connection.execute(statement, {"encoder": encoder.id}).fetchone()
    return bool(row and row[0])


def compared_numbers(connection: psycopg.Connection, encoder: RegisteredEncoder) -> dict[str, int]:
    """Return the numbers of the screenshots that `encoder` has compared, by digest."""
    rows = connection.execute(
        "select screenshot_sha256, number from pipeline.compared where encoder_id = %s",
        (encoder.id,),
    )
    return dict(rows.fetchall())


def look_alike_pairs(
    connection: psycopg.Connection, encoder: RegisteredEncoder, least: float = FLOOR
) -> Records:
    """Return the pairs of `encoder` of similarity `least` or more, as an array of `PAIR`."""
    # Stored as reals: 0.9 must find what was kept as the real nearest to it.
    select = sql.SQL(_PAIRS).format(
        encoder=sql.Literal(encoder.id), least=sql.Literal(float(np.float32(least)))
    )
    return read_records(connection, select, PAIR)


def number_screenshots(
    connection: psycopg.Connection, encoder: RegisteredEncoder, digests: Sequence[str]
) -> Mapping[str, int]:
    """Have the screenshots `digests` on record as compared; return their numbers by digest."""
    terms = {"encoder": encoder.id, "digests": list(digests)}
    return dict(connection.execute(_NUMBER, terms).fetchall())


def replace_pairs(
    connection: psycopg.Connection, encoder: RegisteredEncoder, before: Records, after: Records
) -> None:
    """Make the pairs of `encoder`, which were `before`, those of `after`; both are of `PAIR`."""
    old, new = _keys(before), _keys(after)
    gone = before[~np.isin(old, new)]
    if len(gone):
        connection.execute(_FORGET, {"a": gone["a"].tolist(), "b": gone["b"].tolist()})
    come = after[~np.isin(new, old)]
    rows = np.empty(len(come), np.dtype([("encoder_id", "i4"), *PAIR.descr]))
    rows["encoder_id"] = encoder.id
    for name in ("a", "b", "similarity"):
        rows[name] = come[name]
    write_records(connection, _INTO, rows)


def _keys(pairs: Records) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return pairs["a"].astype(np.int64) << 32 | pairs["b"]
