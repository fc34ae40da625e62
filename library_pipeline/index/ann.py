"""The ANN index of an encoder's vectors (HNSW, cosine): when it is built, used and dropped.

HNSW: Malkov and Yashunin, https://arxiv.org/abs/1603.09320, as pgvector implements it. Without
the index an exact scan answers every query, so its absence costs time, never results.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal

import psycopg
from psycopg import errors, sql

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.database.connection import sole_lease
from library_pipeline.index.embeddings import embedding_table

# Below this an exact scan takes 10 to 50 ms, and an index would only make loads slower.
ANN_FROM: Final = 20_000
# A vector costs 1/i seconds through the index and 1/p past it, and a build 1/b for each one of the
# whole table, so dropping pays from incoming x (1/i - 1/b - 1/p) > vectors x 1/b on. Measured for
# 512 dimensions on two cores: i 550 to 800, b 3,000 to 5,900, p 4,000 to 20,000; so from a seventh
# to a third of the table on. Timed from end to end at 20,000 and 50,000 vectors, the index won at
# an eighth, the drop at a quarter. Search without the index is slow: in doubt it stays.
DROP_SHARE: Final = 0.25
_BUILD_MEMORY: Final = 512 * 1024**2  # bytes; a graph that does not fit takes three times as long
_MIN_BUILD_MEMORY: Final = 64 * 1024**2

_CREATE = "create index concurrently {name} on {table} using hnsw (vector halfvec_cosine_ops)"
_DROP = "drop index concurrently if exists pipeline.{name}"
_VALID = "select indisvalid from pg_index where indexrelid = to_regclass(%s)"
_NEAREST = """
select screenshot_sha256, vector <=> {query} as distance
from {table} order by vector <=> {query} limit {candidates}
"""
# With sorting off, the planner must take the index to put vectors in order.
_READ_BY_INDEX = """
select set_config('enable_sort', 'off', true), set_config('hnsw.ef_search', %s, true),
       set_config('hnsw.iterative_scan', 'off', true)
"""
# A server that is configured with more memory than we ask for keeps its setting.
_BUILD_SETTINGS = """
select set_config('statement_timeout', '0', false),
       set_config('maintenance_work_mem', least(%(needed)s::bigint, greatest(%(max)s::bigint,
           pg_size_bytes(current_setting('maintenance_work_mem')))) / 1024 || 'kB', false)
"""
_RESET = (
    "reset statement_timeout; reset maintenance_work_mem; reset max_parallel_maintenance_workers"
)


@dataclass(frozen=True, slots=True)
class AnnIndex:
    """The result of `ensure_ann_index`; a build took `seconds`.

    `vectors` counts the rows of the table. `busy`: another connection builds or drops the index.
    """

    state: Literal["built", "present", "too_few", "busy"]
    vectors: int = 0
    seconds: float = 0.0


def ensure_ann_index(
    connection: psycopg.Connection, encoder: EncoderInfo, *, ann_from: int = ANN_FROM
) -> AnnIndex:
    """Build the index of `encoder` if its table has `ann_from` vectors and no valid index.

    Searches and loads are not blocked. The connection must be in autocommit mode. Waits for open
    transactions of other connections to this database. Call it after every load.
    """
    with _alone(connection, encoder) as alone:
        if not alone:
            return AnnIndex("busy")
        vectors = _count(connection, encoder)
        if ann_index_ready(connection, encoder):
            return AnnIndex("present", vectors)
        _drop(connection, encoder)  # of a build that was killed
        if vectors < ann_from:
            return AnnIndex("too_few", vectors)
        started = time.perf_counter()
        _build(connection, encoder, vectors)
        return AnnIndex("built", vectors, time.perf_counter() - started)


def drop_for_bulk_load(connection: psycopg.Connection, encoder: EncoderInfo, incoming: int) -> bool:
    """Drop the index if loading `incoming` vectors and rebuilding it is faster than keeping it.

    Returns whether it was dropped. The invalid index of a killed build is always dropped. The
    connection must be in autocommit mode. Call this once for a whole load, with all vectors that
    it may add, and `ensure_ann_index` afterwards, even if the load failed.
    """
    with _alone(connection, encoder) as alone:
        valid = _valid(connection, encoder) if alone else None
        if valid is None or (valid and incoming <= DROP_SHARE * _count(connection, encoder)):
            return False
        _drop(connection, encoder)
        return True


def ann_index_ready(connection: psycopg.Connection, encoder: EncoderInfo) -> bool:
    """Return whether `encoder` has a valid index for `nearest` to use."""
    return _valid(connection, encoder) is True


def nearest(
    encoder: EncoderInfo, query: sql.Composable, candidates: sql.Composable
) -> sql.Composed:
    """Return the SELECT of (screenshot_sha256, distance) nearest to `query`, a halfvec expression.

    Inside `read_by_index` it uses the index, if there is one.
    """
    table = embedding_table(encoder.id)
    return sql.SQL(_NEAREST).format(query=query, table=table, candidates=candidates)


@contextmanager
def read_by_index(connection: psycopg.Connection, candidates: int) -> Iterator[None]:
    """Make `nearest` use the index inside the block, for at most `candidates` (1 to 1,000).

    The block is a transaction that only reads; it is rolled back, together with its settings.
    """
    with connection.transaction(force_rollback=True):
        connection.execute(_READ_BY_INDEX, (str(candidates),))
        yield


def _build(connection: psycopg.Connection, encoder: EncoderInfo, vectors: int) -> None:
    name = sql.Identifier(_name(encoder))
    create = sql.SQL(_CREATE).format(name=name, table=embedding_table(encoder.id))
    # A node takes 2 bytes a dimension and, measured, 800 for its neighbours.
    needed = max(_MIN_BUILD_MEMORY, vectors * (2 * encoder.dim + 1024))
    try:
        connection.execute(_BUILD_SETTINGS, {"needed": needed, "max": _BUILD_MEMORY})
        try:
            connection.execute(create)
        except (errors.DiskFull, errors.OutOfMemory):
            # Parallel workers share the graph, often in /dev/shm: 64 MB in a plain container.
            _drop(connection, encoder)
            connection.execute("set max_parallel_maintenance_workers = 0")
            connection.execute(create)
    finally:
        if not connection.closed:
            connection.execute(_RESET)


def _drop(connection: psycopg.Connection, encoder: EncoderInfo) -> None:
    connection.execute(sql.SQL(_DROP).format(name=sql.Identifier(_name(encoder))))


def _valid(connection: psycopg.Connection, encoder: EncoderInfo) -> bool | None:
    """Return whether the index is valid, None if there is none."""
    row = connection.execute(_VALID, (f"pipeline.{_name(encoder)}",)).fetchone()
    return row[0] if row else None


def _count(connection: psycopg.Connection, encoder: EncoderInfo) -> int:
    count = sql.SQL("select count(*) from {}").format(embedding_table(encoder.id))
    row = connection.execute(count).fetchone()
    return row[0] if row else 0


def _name(encoder: EncoderInfo) -> str:
    return f"embedding_{encoder.id}_ann"


@contextmanager
def _alone(connection: psycopg.Connection, encoder: EncoderInfo) -> Iterator[bool]:
    """Try to be the only connection that builds or drops this index; yield whether it is.

    Raises ValueError for a connection on which an index cannot be built concurrently.
    """
    idle = connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    if not (connection.autocommit and idle):
        raise ValueError(
            f"the index {_name(encoder)} is built and dropped concurrently, which needs a "
            "connection in autocommit mode and outside a transaction"
        )
    # Waiting for the lock could deadlock: a concurrent build waits for those who wait for it.
    with sole_lease(connection, _name(encoder)) as alone:
        yield alone
