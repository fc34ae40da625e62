"""A checkpoint's own picture preparation: `preprocessor_config.json` read, checked and applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

import numpy as np
from PIL import Image

from library_pipeline.encoders.errors import EncoderError

_FILE: Final = "preprocessor_config.json"


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Resize, then centre crop, as CLIPImageProcessor does; normalization is left to the device.

    Exactly one of `shortest_edge` and `exact` (height, width) is set unless nothing is resized;
    `crop` is (height, width) or None. `scale`, `mean` and `std` are applied in `embed_pixels`.
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
        """Pixels along the sides of a square view: the network takes no other."""
        return self.output[0]

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Whether pixels of `shape` (3, H, W) are what this preparation gives."""
        return shape == (3, *self.output)

    @property
    def output(self) -> tuple[int, int]:
        """The (height, width) every picture ends up with."""
        return self.crop or self.exact or (0, 0)  # `parse_preprocessing` sees to one of them

    def resized(self, width: int, height: int) -> tuple[int, int]:
        """Return the (width, height) that the resize step alone would give."""
        if self.exact is not None:
            return self.exact[1], self.exact[0]
        if self.shortest_edge is None:
            return width, height
        # Truncation, not rounding, as torchvision and transformers do.
        edge = self.shortest_edge
        if width <= height:
            return edge, int(edge * height / width)
        return int(edge * width / height), edge

    def apply(self, image: Image.Image) -> np.ndarray:
        """Return contiguous uint8 pixels (3, H, W) of an RGB `image`.

        Only the part that survives the crop is resampled: a fraction of the work, and a
        30,000 x 20 banner never becomes a 336,000 x 224 one in memory. The pixels are those of
        resizing first, but for roundings where Pillow takes a tall picture's axes in another order.
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


def _window(length: int, target: int) -> tuple[int, int, int]:
    """Return (start, length) of the centre window and its offset in the output, along one axis."""
    if target <= length:
        return (length - target) // 2, target, 0
    return 0, length, (target - length + 1) // 2


def parse_preprocessing(
    config: Mapping[str, Any], model: str, *, crops_unless_told: bool | None = None
) -> Preprocessing:
    """Read a `preprocessor_config.json`; what changes the pixels must be said there, not guessed.

    Only what every checkpoint of a family leaves out takes its image processor's default:
    `do_rescale`, `rescale_factor` and, by `crops_unless_told`, `do_center_crop`.

    Raises:
        EncoderError: `encoder.bad_preprocessing`, naming the model, the key and its value.

    """
    reader = Reader(config, model)
    crop = (
        reader.size("crop_size")
        if reader.flag("do_center_crop", default=crops_unless_told)
        else None
    )
    edge, exact = reader.resize() if reader.flag("do_resize") else (None, None)
    if crop is None and exact is None:
        raise reader.error("size", "without a centre crop `size` must give height and width")
    normalizes = reader.flag("do_normalize")
    return Preprocessing(
        shortest_edge=edge,
        exact=exact,
        crop=crop,
        resample=reader.resample(),
        scale=reader.scale() if reader.flag("do_rescale", default=True) else 1.0,
        mean=reader.triple("image_mean") if normalizes else (0.0, 0.0, 0.0),
        std=reader.triple("image_std") if normalizes else (1.0, 1.0, 1.0),
    )


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads one config's keys and reports the first that is missing or odd."""

    config: Mapping[str, Any]
    model: str

    def error(self, key: str, problem: str) -> EncoderError:
        """Return the error that names `key`, its value and what is wanted instead."""
        value = self.config.get(key)
        said = "is missing" if value is None else f"is {value!r}"
        return EncoderError(
            "encoder.bad_preprocessing",
            f"{self.model}: `{key}` in {_FILE} {said}: {problem}; "
            "use the file that the model was published with",
        )

    def flag(self, key: str, *, default: bool | None = None) -> bool:
        """Return a truth value."""
        value = self.config.get(key, default)
        if not isinstance(value, bool):
            raise self.error(key, "true or false is needed")
        return value

    def size(self, key: str) -> tuple[int, int]:
        """Return a size as (height, width), given so or as one number."""
        value = self.config.get(key)
        if _is_length(value):
            return value, value
        if isinstance(value, Mapping) and set(value) == {"height", "width"}:
            height, width = value["height"], value["width"]
            if _is_length(height) and _is_length(width):
                return height, width
        raise self.error(key, "a number of pixels, or height and width, is needed")

    def length(self, key: str) -> int:
        """Return a positive whole number."""
        value = self.config.get(key)
        if not _is_length(value):
            raise self.error(key, "a number is needed")
        return value

    def resize(self) -> tuple[int | None, tuple[int, int] | None]:
        """Return (shortest edge, None) or (None, (height, width))."""
        value = self.config.get("size")
        edge = value.get("shortest_edge") if isinstance(value, Mapping) else value
        if _is_length(edge) and (not isinstance(value, Mapping) or len(value) == 1):
            return edge, None
        return None, self.size("size")

    def resample(self) -> int:
        """Return the number of one of Pillow's filters."""
        value = self.config.get("resample")
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 5:
            raise self.error("resample", "one of Pillow's filters, 0 to 5, is needed")
        return value

    def scale(self) -> float:
        """Return the factor that brings 0 to 255 to 0 to 1."""
        value = self.config.get("rescale_factor", 1 / 255)
        if not isinstance(value, int | float) or not 0 < value <= 1:
            raise self.error("rescale_factor", "a factor between 0 and 1 is needed")
        return float(value)

    def triple(self, key: str) -> tuple[float, float, float]:
        """Return three numbers, for red, green and blue."""
        value = self.config.get(key)
        if not isinstance(value, list) or len(value) != 3:
            raise self.error(key, "three numbers are needed")
        if not all(isinstance(part, int | float) for part in value):
            raise self.error(key, "three numbers are needed")
        if key == "image_std" and not all(value):
            raise self.error(key, "a standard deviation cannot be 0")
        return float(value[0]), float(value[1]), float(value[2])


def _is_length(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 4096
