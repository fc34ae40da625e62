"""From what the settings or the registry say of an encoder to its identity and to the encoder."""

from __future__ import annotations

from library_pipeline.catalog.encoder import EncoderSpec
from library_pipeline.encoders.encoder import Encoder
from library_pipeline.encoders.load import EncoderIdentity, encoder_identity, load_encoder
from library_pipeline.settings import EncoderSettings


def identify(spec: EncoderSpec) -> EncoderIdentity:
    """Return what `spec` stands for now; loads no torch, raises EncoderError."""
    return encoder_identity(
        spec.model, revision=spec.revision, framing=spec.framing, precision=spec.precision
    )


def load(spec: EncoderSpec, place: EncoderSettings) -> Encoder:
    """Return the encoder that `spec` asks for, computing where and as `place` says.

    Raises EncoderError.
    """
    return load_encoder(
        spec.model,
        name=spec.name,
        revision=spec.revision,
        framing=spec.framing,
        precision=spec.precision,
        device=place.device,
        cpu_fallback=place.cpu_fallback,
        runtime=place.runtime,
        threads=place.threads,
    )
