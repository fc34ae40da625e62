"""How much of the library is indexed, and by which encoders."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

from library_pipeline.store.embeddings import embedding_table


@dataclass(frozen=True, slots=True)
class EncoderCoverage:
    """One encoder and how many screenshots it has embedded."""

    name: str
    model: str
    fingerprint: str
    dim: int
    active: bool
    embedded: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """Counts over the whole library: searchable, listed by the CMS, failed."""

    components: int
    listed: int
    failed: int
    encoders: tuple[EncoderCoverage, ...]


def coverage(connection: psycopg.Connection) -> Coverage:
    """Return how much of the library is indexed."""
    row = connection.execute(
        """select (select count(*) from pipeline.component where removed_at is null),
                  (select count(*) from pipeline.manifest_entry),
                  (select count(*) from pipeline.failure)"""
    ).fetchone()
    components, listed, failed = row or (0, 0, 0)
    encoders = connection.execute(
        "select id, name, model, fingerprint, dim, active from pipeline.encoder order by id"
    ).fetchall()
    return Coverage(
        components,
        listed,
        failed,
        tuple(
            EncoderCoverage(*facts, embedded=_embedded(connection, encoder_id))
            for encoder_id, *facts in encoders
        ),
    )


def _embedded(connection: psycopg.Connection, encoder_id: int) -> int:
    count = sql.SQL("select count(*) from {}").format(embedding_table(encoder_id))
    row = connection.execute(count).fetchone()
    return row[0] if row else 0
