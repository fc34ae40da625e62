"""Preparation: how a picture becomes the uint8 views that a network takes.

CLIP's own preparation resizes the shorter side and crops the centre. Of a navbar that is twenty
times wider than high, the model then sees a twentieth. So a picture can also be shown whole on a
border, or in tiles (docs/encoders.md has measurements).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from PIL import Image

from library_pipeline.catalog.encoder import Framing
from library_pipeline.encoders.encoder import FixedFraming

MIN_TILED_RATIO: Final = 2.0
"""Below this ratio of its sides, a picture is shown whole only: parts would add little."""
MAX_TILES: Final = 4


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Resize, then centre crop, as CLIPImageProcessor does; normalization is left to the device.

    `exact` and `crop` are (height, width) in pixels. One of `shortest_edge` and `exact` is set,
    or neither if nothing is resized. `scale`, `mean` and `std` are applied by the forward pass.
    """

    shortest_edge: int | None
    exact: tuple[int, int] | None
    crop: tuple[int, int] | None
    resample: int
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @property
    def cuts(self) -> bool:
        """Whether the crop throws away part of any picture that is not square."""
        return self.crop is not None and self.exact is None

    @property
    def side(self) -> int:
        """The side of a view in pixels; the network takes only squares."""
        return self.output[0]

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Whether `apply` gives pixels of `shape` (3, H, W)."""
        return shape == (3, *self.output)

    @property
    def output(self) -> tuple[int, int]:
        """The (height, width) of every prepared picture."""
        return self.crop or self.exact or (0, 0)  # `parse_preprocessing` sets one of them

    def resized(self, width: int, height: int) -> tuple[int, int]:
        """Return the (width, height) after the resize step, before the crop."""
        if self.exact is not None:
            return self.exact[1], self.exact[0]
        if self.shortest_edge is None:
            return width, height
        # torchvision and transformers truncate, they do not round.
        edge = self.shortest_edge
        if width <= height:
            return edge, int(edge * height / width)
        return int(edge * width / height), edge

    def apply(self, image: Image.Image) -> np.ndarray:
        """Return contiguous uint8 pixels (3, H, W) of an RGB `image`.

        Only the part inside the crop is resampled: a fraction of the work, and a 30,000 x 20
        banner does not become 336,000 x 224 pixels in memory. The pixels equal those of a resize
        first, except for roundings where Pillow takes a tall picture's axes in another order.
        """
        resized = self.resized(image.width, image.height)
        target = (self.output[1], self.output[0])
        (left, width, x), (top, height, y) = map(_window, resized, target)
        kx, ky = image.width / resized[0], image.height / resized[1]
        box = (
            left * kx,
            top * ky,
            min((left + width) * kx, image.width),
            min((top + height) * ky, image.height),
        )
        part = image.resize((width, height), Image.Resampling(self.resample), box=box)
        if (width, height) != target:  # smaller than the crop: CLIP pads with black
            canvas = Image.new("RGB", target)
            canvas.paste(part, (x, y))
            part = canvas
        return np.ascontiguousarray(np.asarray(part, dtype=np.uint8).transpose(2, 0, 1))


@dataclass(frozen=True, slots=True)
class NaflexPreprocessing:
    """Resize to at most `max_patches` whole patches at the picture's own aspect ratio.

    As Siglip2ImageProcessor does (arXiv:2502.14786, section 2.4.2). `scale`, `mean` and `std` are
    applied by the forward pass.
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
        """The side of the largest square in pixels."""
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


Preparation = Preprocessing | NaflexPreprocessing
"""A checkpoint's own way from an RGB picture to pixels."""


@dataclass(frozen=True, slots=True)
class Framer:
    """Turns an RGB picture into the views that a model sees."""

    preparation: Preparation
    framing: FixedFraming

    def views(self, image: Image.Image) -> np.ndarray:
        """Return uint8 pixels (views, 3, H, W): first the whole picture or its crop, then tiles.

        A part that is not square is squashed: measured, search finds more than with a border.
        """
        if self.framing == "crop":
            return self.preparation.apply(image)[None]
        side, resample = self.preparation.side, Image.Resampling(self.preparation.resample)
        if self.framing == "pad":
            squares = [pad_to_square(image, side, resample)]
        else:
            boxes = [(0, 0, *image.size), *tile_boxes(image.width, image.height)]
            squares = [image.resize((side, side), resample, box=box) for box in boxes]
        pixels = np.stack([np.asarray(square, dtype=np.uint8) for square in squares])
        return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))


def resolve_framing(framing: Framing, preparation: Preparation) -> FixedFraming:
    """Return the framing that `auto` means: tiles if the preparation would cut pictures."""
    if framing != "auto":
        return framing
    return "tiles" if preparation.cuts else "crop"


def pad_to_square(image: Image.Image, side: int, resample: Image.Resampling) -> Image.Image:
    """Return the whole RGB `image` on a square of its border colour, `side` pixels wide."""
    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    square = Image.new("RGB", (side, side), border_colour(image))
    small = image.resize((width, height), resample)
    square.paste(small, ((side - width) // 2, (side - height) // 2))
    return square


def tile_boxes(width: int, height: int) -> list[tuple[float, float, float, float]]:
    """Return the parts (left, top, right, bottom) that divide a picture along its longer side.

    A picture of ratio r gives about sqrt(r) parts, at most `MAX_TILES`, each of ratio sqrt(r): a
    strip of 9:1 becomes three parts of 3:1. A ratio below `MIN_TILED_RATIO` gives no parts.
    """
    long, short = max(width, height), min(width, height)
    if long < MIN_TILED_RATIO * short:
        return []
    count = min(MAX_TILES, math.ceil(math.sqrt(long / short)))
    cuts = [long * i / count for i in range(count + 1)]
    if width == long:
        return [(left, 0, right, short) for left, right in pairwise(cuts)]
    return [(0, top, short, bottom) for top, bottom in pairwise(cuts)]


def border_colour(image: Image.Image) -> tuple[int, int, int]:
    """Return the median colour of the outermost pixels, which continues a page best."""
    pixels = np.asarray(image)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    red, green, blue = np.median(edge, axis=0).astype(int).tolist()
    return red, green, blue


def _window(length: int, target: int) -> tuple[int, int, int]:
    """Return (start, length) of the centre window and its offset in the output, along one axis."""
    if target <= length:
        return (length - target) // 2, target, 0
    return 0, length, (target - length + 1) // 2
