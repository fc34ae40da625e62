"""Changing from one encoder to another, and deleting the old one."""

from __future__ import annotations

import psycopg

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.catalog.errors import LibraryError
from library_pipeline.store.ann import ensure_ann_index
from library_pipeline.store.coverage import EncoderCoverage, covers_all, encoder_coverage
from library_pipeline.store.leases import BUNDLES_IN_USE, sole_lease
from library_pipeline.store.registry import activate, drop, encoders_in_use, known_encoders


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

    Its vector index is built first if one is due; search goes on meanwhile. Raises ActivationError
    if a searchable component has no vector of it, since search would no longer find that component.
    `incomplete` allows it.
    """
    _refuse(encoder_coverage(connection, encoder), incomplete=incomplete)
    ensure_ann_index(connection, encoder)
    with connection.transaction():
        # No component may become searchable between this count and the activation.
        connection.execute("lock table pipeline.component in share mode")
        covered = encoder_coverage(connection, encoder)
        _refuse(covered, incomplete=incomplete)
        activate(connection, encoder)
    return covered


def activate_complete(connection: psycopg.Connection) -> list[EncoderInfo]:
    """Activate and return the candidates that cover every searchable component."""
    complete = [
        each
        for each in encoders_in_use(connection)
        if each.candidate and covers_all(connection, each)
    ]
    return [each for each in complete if _activated(connection, each)]


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
                f"a refresh is at work and may be filling encoder {encoder.name} "
                f"({encoder.fingerprint}); try again when it is done (library-pipeline status)"
            )
        drop(connection, encoder)


def _activated(connection: psycopg.Connection, encoder: EncoderInfo) -> bool:
    try:
        make_active(connection, encoder)
    except ActivationError:
        # A component has become searchable meanwhile. The next closing run tries again.
        return False
    return True


def _refuse(found: EncoderCoverage, *, incomplete: bool) -> None:
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
