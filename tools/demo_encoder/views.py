"""Views of one render: what screenshots go through between a CMS and a searcher's clipboard."""

from __future__ import annotations

import io
from collections.abc import Callable
from random import Random

import numpy as np
from PIL import Image, ImageEnhance

from tools.demo_encoder.architecture import IMAGE_SIZE, PREPROCESSOR

WHITE = (255, 255, 255)
View = Callable[[Image.Image, Random], Image.Image]


def jpeg(image: Image.Image, rng: Random, quality: int | None = None) -> Image.Image:
    """Compress and decompress; quality 40-90 unless given."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality or rng.randint(40, 90))
    return Image.open(buffer).convert("RGB")


def downscale(image: Image.Image, rng: Random, factor: float | None = None) -> Image.Image:
    """Shrink to `factor` of each side, 0.3-0.9 unless given."""
    scale = factor or rng.uniform(0.3, 0.9)
    size = (max(8, round(image.width * scale)), max(8, round(image.height * scale)))
    return image.resize(size, Image.Resampling.BILINEAR)


def crop(image: Image.Image, rng: Random, share: float | None = None) -> Image.Image:
    """Cut `share` of width and height away at random sides, up to 0.25 unless given."""
    cut_x = image.width * (share or rng.uniform(0, 0.25))
    cut_y = image.height * (share or rng.uniform(0, 0.25))
    left, top = cut_x * rng.random(), cut_y * rng.random()
    box = (left, top, left + image.width - cut_x, top + image.height - cut_y)
    return image.crop(tuple(round(edge) for edge in box))  # type: ignore[arg-type]


def shift(image: Image.Image, rng: Random, share: float | None = None) -> Image.Image:
    """Move the picture by `share` of its sides in any direction; the corner colour fills in."""
    move_x = round(image.width * (share or rng.uniform(0, 0.18))) * rng.choice((-1, 1))
    move_y = round(image.height * (share or rng.uniform(0, 0.18))) * rng.choice((-1, 1))
    fill = image.getpixel((0, 0)) if rng.random() < 0.5 else WHITE
    canvas = Image.new("RGB", image.size, fill)
    canvas.paste(image, (move_x, move_y))
    return canvas


def pad(image: Image.Image, rng: Random) -> Image.Image:
    """Surround the picture with up to 20% of page, as a loose screenshot does."""
    left, right = (round(image.width * rng.uniform(0, 0.15)) for _ in range(2))
    top, bottom = (round(image.height * rng.uniform(0, 0.3)) for _ in range(2))
    size = (image.width + left + right, image.height + top + bottom)
    canvas = Image.new("RGB", size, rng.choice((WHITE, (246, 247, 249), image.getpixel((0, 0)))))
    canvas.paste(image, (left, top))
    return canvas


def colour(image: Image.Image, rng: Random) -> Image.Image:
    """Change brightness, contrast and saturation a little."""
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhance(image).enhance(rng.uniform(0.8, 1.2))
    return image


def training_view(image: Image.Image, rng: Random) -> Image.Image:
    """Return a random view: a frame change in most, a loss of quality and a tint in half."""
    frame = rng.choice((crop, crop, shift, pad, None, None))
    for change, chance in ((frame, 1.0), (downscale, 0.4), (colour, 0.5), (jpeg, 0.5)):
        if change is not None and rng.random() < chance:
            image = change(image, rng)
    return image


def square_part(image: Image.Image, rng: Random) -> Image.Image:
    """Return a random square of 70 to 100% of the shorter side, as CLIP was trained on."""
    side = max(8, round(min(image.size) * rng.uniform(0.7, 1.0)))
    left = round((image.width - side) * rng.random())
    top = round((image.height - side) * rng.random())
    return image.crop((left, top, left + side, top + side))


def pixels(image: Image.Image, side: int = IMAGE_SIZE) -> np.ndarray:
    """Return uint8 (3, side, side), by default the model's input: the squash of inference."""
    small = image.resize((side, side), Image.Resampling(PREPROCESSOR["resample"]))
    return np.asarray(small, dtype=np.uint8).transpose(2, 0, 1)
