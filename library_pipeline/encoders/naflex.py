"""SigLIP 2's NaFlex preparation: patches of the whole picture at its own aspect ratio."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from library_pipeline.encoders.preprocessing import Reader


@dataclass(frozen=True, slots=True)
class NaflexPreprocessing:
    """Resize to whole patches, at most `max_patches`, as Siglip2ImageProcessor does.

    arXiv:2502.14786, section 2.4.2. `scale`, `mean` and `std` are applied on the device.
    """

    patch: int
    max_patches: int
    resample: int
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    cuts: bool = False

    @property
    def side(self) -> int:
        """Pixels along the sides of the largest square."""
        return math.isqrt(self.max_patches) * self.patch

    def resized(self, width: int, height: int) -> tuple[int, int]:
        """Return the (width, height), in whole patches, of the largest picture that fits."""
        low, high = 1e-6, 100.0  # transformers' own search: its last bit decides near the limit
        while high - low >= 1e-5:
            middle = (low + high) / 2
            columns, rows = self._patches(width * middle), self._patches(height * middle)
            if columns * rows <= self.max_patches:
                low = middle
            else:
                high = middle
        return self._patches(width * low) * self.patch, self._patches(height * low) * self.patch

    def apply(self, image: Image.Image) -> np.ndarray:
        """Return contiguous uint8 pixels (3, H, W) of an RGB `image`; H and W are whole patches."""
        small = image.resize(
            self.resized(image.width, image.height), Image.Resampling(self.resample)
        )
        return np.ascontiguousarray(np.asarray(small, dtype=np.uint8).transpose(2, 0, 1))

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Whether pixels of `shape` (3, H, W) are whole patches and not too many."""
        channels, height, width = shape
        patches = (height // self.patch) * (width // self.patch)
        whole = height % self.patch == width % self.patch == 0
        return channels == 3 and whole and 0 < patches <= self.max_patches

    def _patches(self, length: float) -> int:
        return max(1, math.ceil(length / self.patch))


def parse_naflex(config: Mapping[str, Any], model: str) -> NaflexPreprocessing:
    """Read the `preprocessor_config.json` of a NaFlex checkpoint.

    Raises:
        EncoderError: `encoder.bad_preprocessing`, naming the model, the key and its value.

    """
    reader = Reader(config, model)
    if not reader.flag("do_resize", default=True):
        raise reader.error("do_resize", "NaFlex pictures are always resized")
    normalizes = reader.flag("do_normalize", default=True)
    return NaflexPreprocessing(
        patch=reader.length("patch_size"),
        max_patches=reader.length("max_num_patches"),
        resample=reader.resample(),
        scale=reader.scale() if reader.flag("do_rescale", default=True) else 1.0,
        mean=reader.triple("image_mean") if normalizes else (0.0, 0.0, 0.0),
        std=reader.triple("image_std") if normalizes else (1.0, 1.0, 1.0),
    )
