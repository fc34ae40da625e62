"""Pictures to embed: PNGs like screenshots of whole sections, drawn by seed."""

from __future__ import annotations

from pathlib import Path
from random import Random

from PIL import Image, ImageDraw, ImageFilter

SIZE = (1280, 800)


def write_screenshots(folder: Path, count: int, size: tuple[int, int] = SIZE) -> list[Path]:
    """Write `count` PNGs of `size` and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:05}.png" for number in range(count)]
    for number, path in enumerate(paths):
        screenshot(number, size).save(path, "PNG")
    return paths


def screenshot(seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """Return a bar, a heading, a photograph of sorts and paragraphs, as a page has them."""
    rng = Random(seed)
    width, height = size
    image = Image.new("RGB", size, rng.choice(("white", "#f6f7f9", "#0f172a")))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width, height // 12), fill=_colour(rng))
    _photograph(image, rng)
    for row in range(8, 40):
        y, x = height * row // 44, width // 20
        while x < width // 2:
            word = rng.randrange(width // 90, width // 16)
            draw.rectangle((x, y, x + word, y + height // 80), fill=_colour(rng))
            x += word + width // 100
        draw.text((width // 20, y - 9), "Plan a visit with us today", fill=_colour(rng))
    return image


def _photograph(image: Image.Image, rng: Random) -> None:
    """Paste noise that is smooth as a photograph is: PNG makes it cost what photographs do."""
    width, height = image.width * 2 // 5, image.height * 3 // 5
    noise = Image.effect_noise((width // 4, height // 4), 60 + rng.randrange(40)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    tinted = Image.merge("RGB", [noise.point(_shifted(rng.randrange(80))) for _ in range(3)])
    image.paste(tinted.filter(ImageFilter.GaussianBlur(1)), (image.width * 11 // 20, height // 3))


def _shifted(by: int) -> list[int]:
    return [min(255, value + by) for value in range(256)]


def _colour(rng: Random) -> tuple[int, int, int]:
    return rng.randrange(256), rng.randrange(256), rng.randrange(256)
