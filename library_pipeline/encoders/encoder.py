"""The encoder protocol and its two errors: the seam between the pipeline and a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Literal, Protocol, overload, runtime_checkable

from library_pipeline.catalog.errors import ComponentError, LibraryError

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from library_pipeline.encoders.batches import Skip
    from library_pipeline.encoders.image import ImageSource


FixedFraming = Literal["crop", "pad", "tiles"]
"""A framing that does not depend on the model, as `auto` does."""


class ImageError(ComponentError):
    """A picture cannot become pixels; `read_image` lists the `image.*` codes."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__("decode", code, message)


class EncoderError(LibraryError):
    """A model cannot be found, fetched, read or run; its code begins with `encoder.`."""


@runtime_checkable
class Encoder(Protocol):
    """Turns pictures, and texts if the model reads them, into L2-normalized float32 vectors.

    Equal input gives equal vectors (cosine >= 0.9999) in every batch, and equal fingerprints give
    equal vectors on every machine. Several threads may call one encoder.
    """

    @property
    def name(self) -> str:
        """The name under which the index registers this encoder, such as `clip`."""
        ...

    @property
    def model(self) -> str:
        """The origin of the weights: a hub name, a folder or `demo`."""
        ...

    @property
    def dim(self) -> int:
        """The length of a vector."""
        ...

    @property
    def fingerprint(self) -> str:
        """16 hex digits over weights, preprocessing, pooling and code version."""
        ...

    @property
    def reads_text(self) -> bool:
        """Whether texts have vectors too; DINOv2 reads pictures only."""
        ...

    def preprocess(self, image: Image.Image) -> np.ndarray:
        """Return uint8 pixels (views, 3, H, W) of an RGB picture; the model decides how many."""
        ...

    def embed_pixels(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 vectors (N, dim) of N pictures, each from `preprocess`."""
        ...

    def embed_image(self, source: ImageSource) -> np.ndarray:
        """Return the float32 vector (dim,) of one picture; raises `ImageError`."""
        ...

    def embed_batch(
        self,
        sources: Iterable[ImageSource],
        batch_size: int = 32,
        *,
        on_skip: Callable[[Skip], None] = ...,
        progress: bool | None = None,
    ) -> np.ndarray:
        """Return float32 vectors (N, dim) of N pictures; the rows of unreadable ones are NaN."""
        ...

    @overload
    def embed_text(self, text: str) -> np.ndarray: ...

    @overload
    def embed_text(self, text: Sequence[str]) -> np.ndarray: ...

    def embed_text(self, text: str | Sequence[str]) -> np.ndarray:
        """Return (dim,) for one text, (N, dim) for a sequence of them, float32.

        Raises EncoderError `encoder.no_text` if the model reads no text.
        """
        ...
