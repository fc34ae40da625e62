"""How a picture is put before a model: cut as the model does, whole on a border, or in tiles.

A navbar is twenty times wider than high. CLIP's own preparation, a resize of the shorter side and
a crop of the centre, then shows a model a twentieth of it (docs/encoders.md has measurements).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, Protocol

import numpy as np
from PIL import Image

from library_pipeline.catalog.encoder import Framing

# Below this ratio of the sides the whole picture is shown alone: parts would add little.
TILES_FROM: Final = 2.0
MOST_TILES: Final = 4


class Preparation(Protocol):
    """A checkpoint's own way from an RGB picture to pixels; see `preprocessing` and `naflex`."""

    @property
    def resample(self) -> int:
        """Pillow's number of the filter it resizes with."""
        ...

    @property
    def scale(self) -> float:
        """What a pixel is multiplied with before `mean` is taken off."""
        ...

    @property
    def mean(self) -> tuple[float, float, float]:
        """Mean of red, green and blue, after scaling."""
        ...

    @property
    def std(self) -> tuple[float, float, float]:
        """Standard deviation of red, green and blue, after scaling."""
        ...

    @property
    def cuts(self) -> bool:
        """Whether it throws parts of pictures away."""
        ...

    @property
    def side(self) -> int:
        """Pixels along the sides of a square view."""
        ...

    def apply(self, image: Image.Image) -> np.ndarray:
        """Return uint8 pixels (3, H, W)."""
        ...

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Whether `apply` gives pixels of `shape`."""
        ...


@dataclass(frozen=True, slots=True)
class Framer:
    """Turns an RGB picture into the views that a model sees of it."""

    preparation: Preparation
    framing: Literal["crop", "pad", "tiles"]

    def views(self, image: Image.Image) -> np.ndarray:
        """Return uint8 pixels (views, 3, H, W): first the whole picture or its crop, then tiles.

        Where a part is not square, it is squashed: measured, that finds more than a border does.
        """
        if self.framing == "crop":
            return self.preparation.apply(image)[None]
        side, resample = self.preparation.side, Image.Resampling(self.preparation.resample)
        if self.framing == "pad":
            squares = [padded(image, side, resample)]
        else:
            boxes = [(0, 0, *image.size), *tile_boxes(image.width, image.height)]
            squares = [image.resize((side, side), resample, box=box) for box in boxes]
        pixels = np.stack([np.asarray(square, dtype=np.uint8) for square in squares])
        return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))


def resolved(framing: Framing, preparation: Preparation) -> Literal["crop", "pad", "tiles"]:
    """Return what `auto` means for a model: tiles where its own preparation would cut pictures."""
    if framing != "auto":
        return framing
    return "tiles" if preparation.cuts else "crop"


def padded(image: Image.Image, side: int, resample: Image.Resampling) -> Image.Image:
    """Return the whole of an RGB `image`, `side` pixels long, on a square of its border colour."""
    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    square = Image.new("RGB", (side, side), border_colour(image))
    small = image.resize((width, height), resample)
    square.paste(small, ((side - width) // 2, (side - height) // 2))
    return square


def tile_boxes(width: int, height: int) -> list[tuple[float, float, float, float]]:
    """Return parts (left, top, right, bottom) that cover a picture along its longer side.

    As many as make each about as much longer than wide as there are of them, at most `MOST_TILES`:
    a strip of 9:1 becomes three parts of 3:1. None of a picture below `TILES_FROM`.
    """
    long, short = max(width, height), min(width, height)
    if long < TILES_FROM * short:
        return []
    count = min(MOST_TILES, math.ceil(math.sqrt(long / short)))
    cuts = [long * i / count for i in range(count + 1)]
    if width == long:
        return [(left, 0, right, short) for left, right in pairwise(cuts)]
    return [(0, top, short, bottom) for top, bottom in pairwise(cuts)]


def border_colour(image: Image.Image) -> tuple[int, int, int]:
    """Return the median of the outermost pixels: what a page would go on with around them."""
    pixels = np.asarray(image)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    red, green, blue = np.median(edge, axis=0).astype(int).tolist()
    return red, green, blue
