"""Pictures for the tests: screenshots in small, in every shape and colour mode."""

from __future__ import annotations

import io
from random import Random
from typing import Any

from PIL import Image, ImageDraw

SHAPES = (
    (64, 64), (640, 40), (40, 640), (1280, 96), (300, 200), (200, 300), (65, 64), (63, 64),
    (31, 17), (1, 1), (1, 400), (400, 1), (997, 331), (128, 70), (1440, 900), (70, 71),
)  # fmt: skip


def drawn(size: tuple[int, int], seed: int = 0) -> Image.Image:
    """Return boxes, lines and text on paper, as a component looks from afar."""
    rng = Random(seed)
    image = Image.new("RGB", size, rng.choice(("white", "#f4f6f8", "#101828")))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y = rng.random() * size[0], rng.random() * size[1]
        colour = tuple(rng.randrange(256) for _ in range(3))
        draw.rectangle((x, y, x + size[0] / 5, y + size[1] / 6), fill=colour)
        draw.text((y, x), "Plan a visit", fill=colour[::-1])
    return image


def varied(count: int = 40) -> list[Image.Image]:
    """Return `count` pictures of all shapes, a third of them noise or gradients."""
    images = [drawn(SHAPES[i % len(SHAPES)], seed=i) for i in range(count)]
    for i in range(0, count, 6):
        images[i] = Image.effect_noise(images[i].size, 90).convert("RGB")
    for i in range(3, count, 6):
        images[i] = Image.radial_gradient("L").resize(images[i].size).convert("RGB")
    return images


def encoded(image: Image.Image, format_: str = "PNG", **options: Any) -> bytes:
    """Return `image` as a file."""
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()
