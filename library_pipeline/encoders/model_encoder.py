"""The encoder of a checkpoint: views, forward pass, pooling, texts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, overload

import numpy as np
import torch

from library_pipeline.encoders.batches import Skip, embed_batch, log_skip
from library_pipeline.encoders.encoder import EncoderError
from library_pipeline.encoders.forward import Forward
from library_pipeline.encoders.image import ImageSource, read_image
from library_pipeline.encoders.preparation import Framer
from library_pipeline.encoders.towers import TextTower

if TYPE_CHECKING:
    from PIL import Image

    from library_pipeline.encoders.checkpoint import Checkpoint


class ModelEncoder:
    """An `Encoder`. Its methods release the interpreter lock; several threads may call them."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        framer: Framer,
        forward: Forward,
        *,
        name: str,
        fingerprint: str,
        device: str,
    ) -> None:
        """Hold a loaded `forward`; the text tower is loaded at the first text."""
        self.name = name
        self.model = checkpoint.model
        self.dim = checkpoint.dim
        self.fingerprint = fingerprint
        self.reads_text = checkpoint.family.reads_text
        self._checkpoint = checkpoint
        self._framer = framer
        self._forward = forward
        self._device = device
        self._text_tower: TextTower | None = None
        # Rust tokenizers hold the padding as state: two threads at once raise "Already borrowed".
        self._tokenizing = threading.Lock()

    @property
    def framing(self) -> str:
        """How the model sees a picture: `crop`, `pad` or `tiles`."""
        return self._framer.framing

    def preprocess(self, image: Image.Image) -> np.ndarray:
        """Return uint8 pixels (views, 3, H, W) of an RGB picture."""
        return self._framer.views(image)

    def embed_pixels(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 vectors (N, dim) of N pictures, each uint8 (views, 3, H, W).

        The vector of several views is the mean of their unit vectors, scaled to length 1. Raises
        ValueError for pixels that do not come from `preprocess`.
        """
        if not len(pictures):
            return np.empty((0, self.dim), np.float32)
        views = [view for picture in pictures for view in picture]
        for view in views:
            if view.dtype != np.uint8 or not self._framer.preparation.accepts(view.shape):
                raise ValueError(
                    f"pixels are {view.dtype} {view.shape}, not what `preprocess` gives"
                )
        raw = _unit(self._forward(views))
        if len(views) == len(pictures):
            return raw
        starts = np.cumsum([0, *(len(picture) for picture in pictures[:-1])])
        return _unit(np.add.reduceat(raw, starts, axis=0))

    def embed_image(self, source: ImageSource) -> np.ndarray:
        """Return the float32 vector (dim,) of one picture; raises `ImageError` and OSError."""
        return self.embed_pixels([self.preprocess(read_image(source))])[0]

    def embed_batch(
        self,
        sources: Iterable[ImageSource],
        batch_size: int = 32,
        *,
        on_skip: Callable[[Skip], None] = log_skip,
        progress: bool | None = None,
    ) -> np.ndarray:
        """Return float32 vectors (N, dim), a row for each of the N `sources`, in their order.

        A picture that cannot be read is skipped: its row is NaN, and `on_skip` gets its index and
        the reason; the default is a line in the log. Threads decode a bounded number of pictures
        ahead of the model. `progress` shows a bar; by default at a terminal only.
        """
        return embed_batch(self, sources, batch_size, on_skip=on_skip, progress=progress)

    @overload
    def embed_text(self, text: str) -> np.ndarray: ...

    @overload
    def embed_text(self, text: Sequence[str]) -> np.ndarray: ...

    @torch.inference_mode()
    def embed_text(self, text: str | Sequence[str]) -> np.ndarray:
        """Return (dim,) for one text, (N, dim) for several; a text that is too long is cut."""
        if isinstance(text, str):
            return self.embed_text([text])[0]
        if not self.reads_text:
            problem = f"encoder {self.name!r} ({self.model}) reads no text, pictures only"
            raise EncoderError("encoder.no_text", f"{problem}; search it by picture or component")
        if not text:
            return np.empty((0, self.dim), np.float32)
        with self._tokenizing:
            if self._text_tower is None:
                self._text_tower = TextTower(self._checkpoint).to(self._device)
            tower = self._text_tower
            tokens = tower.tokens(text)
        inputs = {name: value.to(self._device) for name, value in tokens.items()}
        return _unit(tower(inputs).float().cpu().numpy())


def _unit(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(norms, 1e-12, dtype=np.float32)
