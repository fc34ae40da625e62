"""How much of the library each encoder covers, and which one search uses."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass

import psycopg
from psycopg import sql

from library_pipeline.catalog.encoder import EncoderInfo, EncoderState
from library_pipeline.catalog.errors import LibraryError
from library_pipeline.database.connection import BUNDLES_IN_USE, sole_lease
from library_pipeline.index.ann import ensure_ann_index
from library_pipeline.index.embeddings import embedding_table
from library_pipeline.index.encoders import activate, drop, encoders_in_use, known_encoders

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


class ActivationError(LibraryError):
    """An encoder cannot be activated or deleted; the message says why and what to do."""

    def __init__(self, message: str, *, code: str = "encoder.not_activated") -> None:
        super().__init__(code, message)


def find_encoder(
    connection: psycopg.Connection, name: str, fingerprint: str | None = None
) -> EncoderInfo:
    """Return the encoder `name` whose fingerprint begins with `fingerprint`.

    Without a fingerprint, return the candidate of that name. Raises ActivationError unless exactly
    one encoder matches.
    """
    known = [each for each in known_encoders(connection) if each.name == name]
    matches = [
        each
        for each in known
        if (each.fingerprint.startswith(fingerprint) if fingerprint else each.candidate)
    ]
    if len(matches) == 1:
        return matches[0]
    there = ", ".join(f"{each.name} {each.fingerprint}" for each in known)
    what = f"{name} {fingerprint}" if fingerprint else f"candidate called {name}"
    raise ActivationError(
        f"there {'are several encoders' if matches else 'is no encoder'} {what}; "
        f"there is: {there or 'none of that name'} (library-pipeline encoders list)"
    )


def make_active(
    connection: psycopg.Connection, encoder: EncoderInfo, *, incomplete: bool = False
) -> EncoderCoverage:
    """Make `encoder` the active one of its name, and return its coverage.

    Its vector index is built first if one is due; searches are not blocked. Raises ActivationError
    if a searchable component has no vector of it, since search would no longer find that component.
    `incomplete` allows it.
    """
    _refuse_incomplete(encoder_coverage(connection, encoder), incomplete=incomplete)
    ensure_ann_index(connection, encoder)
    with connection.transaction():
        # No component may become searchable between this count and the activation.
        connection.execute("lock table pipeline.component in share mode")
        covered = encoder_coverage(connection, encoder)
        _refuse_incomplete(covered, incomplete=incomplete)
        activate(connection, encoder)
    return covered


def activate_complete(connection: psycopg.Connection) -> list[EncoderInfo]:
    """Activate and return the candidates that cover every searchable component."""
    complete = [
        each
        for each in encoders_in_use(connection)
        if each.candidate and covers_all(connection, each)
    ]
    activated: list[EncoderInfo] = []
    for each in complete:
        # A component may have become searchable meanwhile; the next closing run tries again.
        with suppress(ActivationError):
            make_active(connection, each)
            activated.append(each)
    return activated


def free_encoder(connection: psycopg.Connection, encoder: EncoderInfo) -> None:
    """Delete an encoder that is not active, with its vectors.

    Raises ActivationError for an active encoder, and while a refresh runs.
    """
    if encoder.active:
        raise ActivationError(
            f"encoder {encoder.name} ({encoder.fingerprint}) is the active one; activate another "
            f"one first: library-pipeline encoders activate {encoder.name}"
        )
    with sole_lease(connection, BUNDLES_IN_USE) as alone:
        if not alone:
            raise ActivationError(
                f"a refresh is running and may be filling encoder {encoder.name} "
                f"({encoder.fingerprint}); try again when it is done (library-pipeline status)"
            )
        drop(connection, encoder)


def _refuse_incomplete(found: EncoderCoverage, *, incomplete: bool) -> None:
    if found.covered < found.components and not incomplete:
        lacking = found.components - found.covered
        way_out = (
            f"configure {found.model} again and fill it"
            if found.state == "kept"
            else "fill it first"
        )
        raise ActivationError(
            f"encoder {found.name} ({found.fingerprint}) covers {found.covered} of "
            f"{found.components} searchable components ({found.share:.1%}); the other {lacking} "
            f"would not be found any more. Either {way_out}: library-pipeline reembed; or say "
            "--yes to lose them until the next refresh"
        )
