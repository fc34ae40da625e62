"""What an encoder is: the seam between the pipeline and any one model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, overload, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from library_pipeline.encoders.image import ImageSource
    from library_pipeline.encoders.streaming import Skipped


@runtime_checkable
class Encoder(Protocol):
    """Turns pictures, and where it can texts, into L2-normalized float32 vectors of `dim`.

    Equal input gives equal vectors (cosine >= 0.9999) whatever the batch around it, and equal
    fingerprints give equal vectors on any machine. Safe to call from several threads.
    """

    @property
    def name(self) -> str:
        """The name under which the index registers this encoder, such as `clip`."""
        ...

    @property
    def model(self) -> str:
        """Where the weights come from: a hub name, a folder or `demo`."""
        ...

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    @property
    def fingerprint(self) -> str:
        """16 hex digits over weights, preprocessing, pooling and code version."""
        ...

    @property
    def reads_text(self) -> bool:
        """Whether texts have vectors too; DINOv2 knows pictures only."""
        ...

    def preprocess(self, image: Image.Image) -> np.ndarray:
        """Return uint8 pixels (views, 3, H, W) of an RGB picture; how many views, it decides."""
        ...

    def embed_pixels(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 vectors (N, dim) of N pictures, each as `preprocess` gave it."""
        ...

    def embed_image(self, source: ImageSource) -> np.ndarray:
        """Return the float32 vector (dim,) of one picture; raises `ImageError`."""
        ...

    def embed_batch(
        self,
        sources: Iterable[ImageSource],
        batch_size: int = 32,
        *,
        on_skip: Callable[[Skipped], None] = ...,
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

        Raises EncoderError `encoder.no_text` where the model reads none.
        """
        ...
