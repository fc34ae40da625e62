"""Pictures and texts in, comparable vectors out. Importing this loads neither torch nor numpy."""

from library_pipeline.encoders.encoder import Encoder
from library_pipeline.encoders.errors import EncoderError, ImageError
from library_pipeline.encoders.image import DEFAULT_MAX_PIXELS, read_image
from library_pipeline.encoders.load import EncoderIdentity, encoder_identity, load_encoder
from library_pipeline.encoders.thumbnail import thumbnail

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
