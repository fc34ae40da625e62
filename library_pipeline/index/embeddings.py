"""Vectors of screenshots: one `halfvec` table for each encoder that the registry knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import psycopg
from numpy.typing import NDArray
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from psycopg import sql

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.database.records import read_records

_CREATE_TABLE = """
create table if not exists {table} (
    screenshot_sha256 text primary key references pipeline.screenshot,
    vector halfvec({dim}) not null
)
"""
# Search looks up thousands of rows by digest; a hash index costs half of the key's tree.
_CREATE_LOOKUP = "create index if not exists {name} on {table} using hash (screenshot_sha256)"
_STAGE = "create temp table {stage} (screenshot_sha256 text, vector halfvec({dim})) on commit drop"
_COPY = "copy {stage} (screenshot_sha256, vector) from stdin (format binary)"
# Sorted, so that two writers lock rows in the same order.
_UPSERT = """
insert into {table} (screenshot_sha256, vector)
select screenshot_sha256, vector from {stage} order by screenshot_sha256
on conflict (screenshot_sha256) do update set vector = excluded.vector
"""


def know_vectors(connection: psycopg.Connection) -> None:
    """Register pgvector's types on `connection`, once."""
    if connection.adapters.types.get("halfvec") is None:
        register_vector(connection)


def embedding_table(encoder_id: int) -> sql.Identifier:
    """Return the name of the table that holds the vectors of encoder `encoder_id`."""
    return sql.Identifier("pipeline", f"embedding_{encoder_id}")


def create_embedding_table(connection: psycopg.Connection, encoder_id: int, dim: int) -> None:
    """Create the table for vectors of `dim` dimensions if it does not exist."""
    table = embedding_table(encoder_id)
    lookup = sql.Identifier(f"embedding_{encoder_id}_screenshot")
    connection.execute(sql.SQL(_CREATE_TABLE).format(table=table, dim=sql.Literal(dim)))
    connection.execute(sql.SQL(_CREATE_LOOKUP).format(name=lookup, table=table))


def embedded_screenshots(
    connection: psycopg.Connection, encoder_id: int, digests: Iterable[str]
) -> set[str]:
    """Return those of the screenshots `digests` that have a vector."""
    query = sql.SQL("select screenshot_sha256 from {} where screenshot_sha256 = any(%s)")
    rows = connection.execute(query.format(embedding_table(encoder_id)), (list(digests),))
    return {row[0] for row in rows}


def all_vectors(
    connection: psycopg.Connection, encoder: EncoderInfo, *, searchable: bool = False
) -> tuple[list[str], NDArray[np.float16]]:
    """Return the n digests that `encoder` has embedded and their (n, dim) float16 vectors.

    With `searchable`, only screenshots of searchable components.
    """
    vector = np.dtype([("size", ">i2"), ("unused", ">i2"), ("values", ">f2", (encoder.dim,))])
    select = sql.SQL(
        """select screenshot_sha256, halfvec_send(vector) as vector from {embedding} e
           where {every} or exists (select from pipeline.component c where c.removed_at is null
                                    and c.screenshot_sha256 = e.screenshot_sha256)
           order by 1"""
    ).format(embedding=embedding_table(encoder.id), every=sql.Literal(not searchable))
    dtype = np.dtype([("digest", "S64"), ("vector", f"V{vector.itemsize}")])
    rows = read_records(connection, select, dtype)
    values = np.ascontiguousarray(rows["vector"]).view(vector)["values"]
    return [digest.decode() for digest in rows["digest"].tolist()], values.astype(np.float16)


def store_embeddings(
    connection: psycopg.Connection,
    encoder: EncoderInfo,
    vectors: Mapping[str, NDArray[np.float32]],
) -> None:
    """Store `vectors`, each (dim,) float32, by screenshot digest, over any present ones.

    Runs inside the caller's transaction.
    """
    if not vectors:
        return
    know_vectors(connection)
    stage = sql.Identifier(f"embedding_stage_{encoder.id}")
    connection.execute(sql.SQL(_STAGE).format(stage=stage, dim=sql.Literal(encoder.dim)))
    with connection.cursor() as cursor, cursor.copy(sql.SQL(_COPY).format(stage=stage)) as copy:
        copy.set_types(["text", "halfvec"])
        for digest, vector in vectors.items():
            copy.write_row((digest, HalfVector(vector)))
    connection.execute(sql.SQL(_UPSERT).format(table=embedding_table(encoder.id), stage=stage))
