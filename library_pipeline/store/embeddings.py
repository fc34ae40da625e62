"""Encoders and their vectors: one `halfvec` table for each encoder fingerprint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import psycopg
from numpy.typing import NDArray
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from psycopg import sql

_CREATE_TABLE = """
create table if not exists {table} (
    screenshot_sha256 text primary key references pipeline.screenshot,
    vector halfvec({dim}) not null
)
"""
_STAGE = """
create temp table embedding_stage (screenshot_sha256 text, vector halfvec({dim})) on commit drop
"""
_COPY = "copy embedding_stage (screenshot_sha256, vector) from stdin (format binary)"
# Sorted, so that two writers lock rows in the same order.
_UPSERT = """
insert into {table} (screenshot_sha256, vector)
select screenshot_sha256, vector from embedding_stage order by screenshot_sha256
on conflict (screenshot_sha256) do update set vector = excluded.vector
"""


@dataclass(frozen=True, slots=True)
class RegisteredEncoder:
    """An encoder as the database knows it; `id` names its table of vectors."""

    id: int
    name: str
    model: str
    fingerprint: str
    dim: int


def embedding_table(encoder_id: int) -> sql.Identifier:
    """Return the name of the table that holds the vectors of encoder `encoder_id`."""
    return sql.Identifier("pipeline", f"embedding_{encoder_id}")


def register_encoder(
    connection: psycopg.Connection, *, name: str, model: str, fingerprint: str, dim: int
) -> RegisteredEncoder:
    """Make (name, fingerprint) known and active, with a table for its vectors; idempotent."""
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtext('pipeline.encoder'))")
        known = _find(connection, name, fingerprint)
        if known is None:
            connection.execute(
                """insert into pipeline.encoder (name, model, fingerprint, dim)
                   values (%s, %s, %s, %s)""",
                (name, model, fingerprint, dim),
            )
            known = _find(connection, name, fingerprint)
        if known is None:
            raise RuntimeError(f"encoder {name} ({fingerprint}) could not be registered")
        connection.execute(
            sql.SQL(_CREATE_TABLE).format(table=embedding_table(known.id), dim=sql.Literal(dim))
        )
        # Two statements: the rule of one active encoder is checked row by row.
        connection.execute(
            """update pipeline.encoder set active = false
               where name = %s and fingerprint <> %s and active""",
            (name, fingerprint),
        )
        connection.execute(
            """update pipeline.encoder set active = true
               where name = %s and fingerprint = %s and not active""",
            (name, fingerprint),
        )
    return known


def active_encoder(connection: psycopg.Connection, name: str) -> RegisteredEncoder | None:
    """Return the active encoder called `name`, or None before the first refresh."""
    row = connection.execute(
        """select id, name, model, fingerprint, dim from pipeline.encoder
           where name = %s and active""",
        (name,),
    ).fetchone()
    return RegisteredEncoder(*row) if row else None


def embedded_screenshots(
    connection: psycopg.Connection, encoder_id: int, digests: Iterable[str]
) -> set[str]:
    """Return those of the screenshots `digests` that have a vector."""
    query = sql.SQL("select screenshot_sha256 from {} where screenshot_sha256 = any(%s)")
    rows = connection.execute(query.format(embedding_table(encoder_id)), (list(digests),))
    return {row[0] for row in rows}


def store_embeddings(
    connection: psycopg.Connection,
    encoder: RegisteredEncoder,
    vectors: Mapping[str, NDArray[np.float32]],
) -> None:
    """Keep `vectors`, each (dim,) float32, by screenshot digest; a present one is replaced.

    Runs inside the caller's transaction.
    """
    if not vectors:
        return
    register_vector(connection)
    connection.execute(sql.SQL(_STAGE).format(dim=sql.Literal(encoder.dim)))
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(["text", "halfvec"])
        for digest, vector in vectors.items():
            copy.write_row((digest, HalfVector(vector)))
    connection.execute(sql.SQL(_UPSERT).format(table=embedding_table(encoder.id)))


def _find(connection: psycopg.Connection, name: str, fingerprint: str) -> RegisteredEncoder | None:
    row = connection.execute(
        """select id, name, model, fingerprint, dim from pipeline.encoder
           where name = %s and fingerprint = %s""",
        (name, fingerprint),
    ).fetchone()
    return RegisteredEncoder(*row) if row else None
