"""Encoders between settings and registry: registering configured ones, loading registered ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import psycopg

from library_pipeline.catalog.encoder import EncoderInfo, EncoderSpec
from library_pipeline.encoders import Encoder, EncoderError
from library_pipeline.encoders.load import identify, load_configured
from library_pipeline.settings import EncoderSettings
from library_pipeline.store.registry import configure_encoders


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
        f"{reason}. The index was made with it. Put the model back as it was (pin its revision, or "
        "restore its folder), or embed the library with what is configured now: `library-pipeline "
        f"reembed`, then `library-pipeline encoders activate {encoder.name}`"
    )
