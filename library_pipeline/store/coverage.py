"""How much of the library is indexed, and by which encoders."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import psycopg
from psycopg import sql

from library_pipeline.catalog.encoder import EncoderInfo, EncoderState
from library_pipeline.store.embeddings import embedding_table
from library_pipeline.store.registry import known_encoders

_COVERED = """
select count(*), count(e.screenshot_sha256),
       (select count(*) from {embedding}), pg_total_relation_size({name}::regclass)
from pipeline.component c left join {embedding} e using (screenshot_sha256)
where c.removed_at is null
"""
_LACKING = """
select exists (
    select from pipeline.component c where c.removed_at is null and not exists
        (select from {embedding} e where e.screenshot_sha256 = c.screenshot_sha256))
"""


@dataclass(frozen=True, slots=True)
class EncoderCoverage:
    """One encoder as it is shown to people: how many searchable `components` have its vectors.

    `embedded` counts screenshots with a vector. `size` is the bytes of the table and its indexes.
    """

    name: str
    model: str
    revision: str | None
    framing: str
    precision: str
    fingerprint: str
    dim: int
    state: EncoderState
    components: int
    covered: int
    embedded: int
    size: int

    @property
    def active(self) -> bool:
        """Whether search asks this encoder."""
        return self.state == "active"

    @property
    def share(self) -> float:
        """Covered share of the searchable components, 0 to 1; 1 for an empty library."""
        return self.covered / self.components if self.components else 1.0


@dataclass(frozen=True, slots=True)
class Coverage:
    """Counts over the whole library: searchable, listed by the CMS, and failed components."""

    components: int
    listed: int
    failed: int


def coverage(connection: psycopg.Connection) -> Coverage:
    """Return the counts of the whole library."""
    row = connection.execute(
        """select (select count(*) from pipeline.component where removed_at is null),
                  (select count(*) from pipeline.manifest_entry),
                  (select count(*) from pipeline.failure)"""
    ).fetchone()
    return Coverage(*row) if row else Coverage(0, 0, 0)


def encoder_coverages(connection: psycopg.Connection) -> tuple[EncoderCoverage, ...]:
    """Return the coverage of every encoder, sorted by name, then oldest first."""
    return tuple(encoder_coverage(connection, each) for each in known_encoders(connection))


def encoder_coverage(connection: psycopg.Connection, encoder: EncoderInfo) -> EncoderCoverage:
    """Return how much of the library `encoder` covers."""
    table = embedding_table(encoder.id)
    name = sql.Literal(f"pipeline.embedding_{encoder.id}")
    row = connection.execute(sql.SQL(_COVERED).format(embedding=table, name=name)).fetchone()
    components, covered, embedded, size = row or (0, 0, 0, 0)
    return EncoderCoverage(
        **asdict(encoder.spec),
        fingerprint=encoder.fingerprint,
        dim=encoder.dim,
        state=encoder.state,
        components=components,
        covered=covered,
        embedded=embedded,
        size=size,
    )


def covers_all(connection: psycopg.Connection, encoder: EncoderInfo) -> bool:
    """Return whether every searchable component has a vector of `encoder`."""
    table = embedding_table(encoder.id)
    row = connection.execute(sql.SQL(_LACKING).format(embedding=table)).fetchone()
    return bool(row and not row[0])
