"""The two things that go wrong here: a picture that cannot be read, a model that cannot be used."""

from __future__ import annotations

from library_pipeline.catalog.errors import ComponentError, LibraryError


class ImageError(ComponentError):
    """One picture cannot become pixels; `code` is one of the `image.*` codes in `image.py`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__("decode", code, message)


class EncoderError(LibraryError):
    """A model cannot be found, fetched, read or run; nothing about a single picture.

    `code` is stable and dotted (`encoder.not_found`); `transient` errors may heal by themselves.
    """
