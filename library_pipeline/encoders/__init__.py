"""Encoders turn pictures and texts into comparable vectors. This imports no torch and no numpy."""

from library_pipeline.encoders.encoder import Encoder, EncoderError, ImageError
from library_pipeline.encoders.image import DEFAULT_MAX_PIXELS, read_image, thumbnail
from library_pipeline.encoders.load import EncoderIdentity, encoder_identity, load_encoder

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "Encoder",
    "EncoderError",
    "EncoderIdentity",
    "ImageError",
    "encoder_identity",
    "load_encoder",
    "read_image",
    "thumbnail",
]
