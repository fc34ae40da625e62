"""From the settings to the registry, and from the registry back to an encoder that embeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import psycopg

from library_pipeline.catalog.encoder import EncoderInfo, EncoderSpec
from library_pipeline.encoders import Encoder, EncoderError
from library_pipeline.encoders.configured import identify, load
from library_pipeline.settings import EncoderSettings
from library_pipeline.store.registry import configure_encoders


def register_configured(
    connection: psycopg.Connection, configured: Sequence[EncoderSettings]
) -> tuple[EncoderInfo, ...]:
    """Make the configured encoders known; return those in use. Reads no weights into memory.

    Raises EncoderError where a model cannot be found or used.
    """
    return configure_encoders(connection, [_identified(item.spec) for item in configured])


def _identified(spec: EncoderSpec) -> tuple[EncoderSpec, str, int]:
    """Return `spec` with what its `auto` framing means, which another version may see otherwise."""
    identity = identify(spec)
    return replace(spec, framing=identity.framing), identity.fingerprint, identity.dim


def load_registered(encoder: EncoderInfo, configured: Sequence[EncoderSettings]) -> Encoder:
    """Return `encoder`, ready to embed, whether or not it is still the configured one.

    Where it runs say the settings of its name, else of the first encoder. Raises EncoderError
    `encoder.changed` where its model gives other vectors by now.
    """
    by_name = {item.name: item for item in configured}
    try:
        loaded = load(encoder.spec, by_name.get(encoder.name) or configured[0])
    except EncoderError as error:
        if _is_there(encoder):
            raise  # it is where it was: what is wrong is the device, or the machine
        raise EncoderError(error.code, _lost(encoder, error.message)) from error
    if loaded.fingerprint != encoder.fingerprint:
        raise EncoderError("encoder.changed", _lost(encoder, f"by now it is {loaded.fingerprint}"))
    return loaded


def _is_there(encoder: EncoderInfo) -> bool:
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
