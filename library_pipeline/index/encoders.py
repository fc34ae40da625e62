"""The encoders of the index: their registry, and how a registered one is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import psycopg
from psycopg import sql

from library_pipeline.catalog.encoder import EncoderInfo, EncoderSpec
from library_pipeline.encoders import Encoder, EncoderError
from library_pipeline.encoders.load import identify, load_configured
from library_pipeline.index.embeddings import create_embedding_table, embedding_table
from library_pipeline.settings import EncoderSettings

_KNOWN = """
select id, name, model, revision, framing, precision, fingerprint, dim, active, configured
from pipeline.encoder
"""
_ADD = """
insert into pipeline.encoder (name, model, revision, framing, precision, fingerprint, dim)
values (%(name)s, %(model)s, %(revision)s, %(framing)s, %(precision)s, %(fingerprint)s, %(dim)s)
"""
# Of several specs for the same weights, the newest is the likeliest to find them again.
_REWORD = """
update pipeline.encoder
set model = %(model)s, revision = %(revision)s, framing = %(framing)s, precision = %(precision)s
where name = %(name)s and fingerprint = %(fingerprint)s
  and (model, revision, framing, precision)
      is distinct from (%(model)s, %(revision)s, %(framing)s, %(precision)s)
"""
_CONFIGURE = """
update pipeline.encoder set configured = fingerprint = %(fingerprint)s
where name = %(name)s and configured <> (fingerprint = %(fingerprint)s)
"""
_FORGET_NAMES = """
update pipeline.encoder set configured = false where configured and not name = any(%s)
"""
# Two statements, as the constraint of one active encoder per name is checked row by row.
_ACTIVATE = (
    "update pipeline.encoder set active = false where name = %(name)s and active and id <> %(id)s",
    "update pipeline.encoder set active = true where id = %(id)s and not active",
)
# An encoder whose name is no longer configured stays active until a configured one is active.
_RETIRE = """
with named as (select distinct name from pipeline.encoder where configured)
update pipeline.encoder e set active = false
where e.active and e.name not in (select name from named)
  and exists (select from pipeline.encoder o join named using (name) where o.active)
"""
_SEARCHABLE = "select exists (select from pipeline.component where removed_at is null)"


def register_encoder(
    connection: psycopg.Connection, spec: EncoderSpec, *, fingerprint: str, dim: int
) -> EncoderInfo:
    """Record an encoder as the configured one of its name, and create its table of vectors.

    It is active at once while no component is searchable, and a candidate otherwise. Idempotent.
    """
    terms = {**asdict(spec), "fingerprint": fingerprint, "dim": dim}
    with _changing(connection):
        if _find(connection, spec.name, fingerprint) is None:
            connection.execute(_ADD, terms)
        connection.execute(_REWORD, terms)
        connection.execute(_CONFIGURE, terms)
        known = _find(connection, spec.name, fingerprint)
        if known is None:
            raise RuntimeError(f"encoder {spec.name} ({fingerprint}) could not be registered")
        create_embedding_table(connection, known.id, dim)
        row = connection.execute(_SEARCHABLE).fetchone()
        if not known.active and row and not row[0]:
            _activate(connection, known)
            known = _find(connection, spec.name, fingerprint) or known
    return known


def configure_encoders(
    connection: psycopg.Connection, configured: Sequence[tuple[EncoderSpec, str, int]]
) -> tuple[EncoderInfo, ...]:
    """Register all configured (spec, fingerprint, dim); return the active and configured ones."""
    with _changing(connection):
        connection.execute(_FORGET_NAMES, ([spec.name for spec, _, _ in configured],))
        for spec, fingerprint, dim in configured:
            register_encoder(connection, spec, fingerprint=fingerprint, dim=dim)
        connection.execute(_RETIRE)
    return encoders_in_use(connection)


def encoders_in_use(connection: psycopg.Connection) -> tuple[EncoderInfo, ...]:
    """Return the active and the configured encoders."""
    return tuple(each for each in known_encoders(connection) if each.active or each.configured)


def active_encoders(connection: psycopg.Connection) -> tuple[EncoderInfo, ...]:
    """Return the active encoders, at most one of each name; none before the first refresh."""
    return tuple(each for each in known_encoders(connection) if each.active)


def known_encoders(connection: psycopg.Connection) -> tuple[EncoderInfo, ...]:
    """Return every registered encoder, sorted by name, then oldest first."""
    rows = connection.execute(_KNOWN + "order by name, id")
    return tuple(_encoder(row) for row in rows)


def activate(connection: psycopg.Connection, encoder: EncoderInfo) -> None:
    """Make `encoder` the active one of its name, in one transaction."""
    with _changing(connection):
        _activate(connection, encoder)
        connection.execute(_RETIRE)


def drop(connection: psycopg.Connection, encoder: EncoderInfo) -> None:
    """Delete an encoder and its vectors. Raises ValueError if it is active by now."""
    with _changing(connection):
        gone = connection.execute(
            "delete from pipeline.encoder where id = %s and not active", (encoder.id,)
        ).rowcount
        if not gone:
            raise ValueError(f"encoder {encoder.name} ({encoder.fingerprint}) is active")
        connection.execute("delete from pipeline.look_alike where encoder_id = %s", (encoder.id,))
        connection.execute(sql.SQL("drop table {}").format(embedding_table(encoder.id)))


def _activate(connection: psycopg.Connection, encoder: EncoderInfo) -> None:
    for statement in _ACTIVATE:
        connection.execute(statement, {"name": encoder.name, "id": encoder.id})


@contextmanager
def _changing(connection: psycopg.Connection) -> Iterator[None]:
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtext('pipeline.encoder'))")
        yield


def _find(connection: psycopg.Connection, name: str, fingerprint: str) -> EncoderInfo | None:
    row = connection.execute(
        _KNOWN + "where name = %s and fingerprint = %s", (name, fingerprint)
    ).fetchone()
    return _encoder(row) if row else None


def _encoder(row: tuple[Any, ...]) -> EncoderInfo:
    return EncoderInfo(row[0], EncoderSpec(*row[1:6]), *row[6:])


def register_configured(
    connection: psycopg.Connection, configured: Sequence[EncoderSettings]
) -> tuple[EncoderInfo, ...]:
    """Register the configured encoders; return the active and the configured ones.

    Reads no weights into memory. Raises EncoderError if a model cannot be found or used.
    """
    terms: list[tuple[EncoderSpec, str, int]] = []
    for item in configured:
        identity = identify(item.spec)
        # Another version may take `auto` for another framing, so the registry has the framing.
        spec = replace(item.spec, framing=identity.framing)
        terms.append((spec, identity.fingerprint, identity.dim))
    return configure_encoders(connection, terms)


def load_registered(encoder: EncoderInfo, configured: Sequence[EncoderSettings]) -> Encoder:
    """Return `encoder` ready to embed, even if another model is configured by now.

    The settings of its name choose the device, else those of the first encoder. Raises
    EncoderError, with code `encoder.changed` if the model gives other vectors than before.
    """
    by_name = {item.name: item for item in configured}
    try:
        loaded = load_configured(encoder.spec, by_name.get(encoder.name) or configured[0])
    except EncoderError as error:
        if _is_unchanged(encoder):
            raise  # the model is as it was, so the device or the machine is at fault
        raise EncoderError(error.code, _lost(encoder, error.message)) from error
    if loaded.fingerprint != encoder.fingerprint:
        raise EncoderError("encoder.changed", _lost(encoder, f"by now it is {loaded.fingerprint}"))
    return loaded


def _is_unchanged(encoder: EncoderInfo) -> bool:
    try:
        return identify(encoder.spec).fingerprint == encoder.fingerprint
    except EncoderError:
        return False


def _lost(encoder: EncoderInfo, reason: str) -> str:
    return (
        f"encoder {encoder.name} ({encoder.model}, {encoder.fingerprint}) cannot be loaded: "
        f"{reason}. The index was made with it. Restore the model (pin its revision, or "
        "restore its folder), or embed the library with the configured model: `library-pipeline "
        f"reembed`, then `library-pipeline encoders activate {encoder.name}`"
    )
