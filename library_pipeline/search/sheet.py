"""Contact sheets: captioned pictures on one sheet, such as a query beside its results."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

CAPTION_HEIGHT = 44
DETAIL_HEIGHT = 18
MARGIN = 16
ARROW_WIDTH = 40
HEADER_HEIGHT = 46
# Pillow's own font has few accented letters, so a font of the system is preferred.
SYSTEM_FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial.ttf", "LiberationSans-Regular.ttf")
PAPER, INK, FAINT, LINE = "#f6f7f9", "#16181d", "#667085", "#d5d9e0"
# Of WebP. Small letters of a screenshot stay legible down to about 50.
QUALITIES = (85, 70, 50, 30)


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture on a sheet, with a dark title and one or two fainter lines below it."""

    picture: Image.Image
    title: str
    note: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TileSize:
    """The size in pixels of the box into which a tile's picture is fitted."""

    width: int = 300
    height: int = 190


def contact_sheet(
    heading: str,
    tiles: Sequence[Tile],
    *,
    query: Tile | None = None,
    columns: int = 4,
    size: TileSize = TileSize(),
) -> Image.Image:
    """Return an RGB sheet with a heading, the query picture on the left and the tiles beside it."""
    columns = max(1, min(columns, len(tiles) or 1))
    rows = max(1, -(-len(tiles) // columns))
    left = MARGIN + (size.width + 2 * MARGIN if query else 0)
    width = left + columns * (size.width + MARGIN)
    below = CAPTION_HEIGHT + (DETAIL_HEIGHT if any(tile.detail for tile in tiles) else 0)
    height = HEADER_HEIGHT + MARGIN + rows * (size.height + below + MARGIN)
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN), _fitted(heading, width - 2 * MARGIN, 20), INK, _font(20))
    if query:
        _paste(sheet, query, MARGIN, HEADER_HEIGHT + MARGIN, size)
        x = left - MARGIN
        draw.line([(x, HEADER_HEIGHT + MARGIN), (x, height - MARGIN)], LINE, 2)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        x = left + column * (size.width + MARGIN)
        y = HEADER_HEIGHT + MARGIN + row * (size.height + below + MARGIN)
        _paste(sheet, tile, x, y, size)
    return sheet


def stacked(sheets: Sequence[Image.Image]) -> Image.Image:
    """Return one picture with the sheets below each other."""
    width = max(sheet.width for sheet in sheets)
    whole = Image.new("RGB", (width, sum(sheet.height for sheet in sheets)), PAPER)
    y = 0
    for sheet in sheets:
        whole.paste(sheet, (0, y))
        y += sheet.height
    return whole


def side_by_side(before: Image.Image, after: Image.Image) -> Image.Image:
    """Return two pictures of similar size on white, with an arrow from `before` to `after`."""
    height = max(before.height, after.height)
    width = max(before.width, after.width)
    pair = Image.new("RGB", (2 * width + ARROW_WIDTH, height), "white")
    for picture, left in ((before, 0), (after, width + ARROW_WIDTH)):
        pair.paste(picture, (left + (width - picture.width) // 2, (height - picture.height) // 2))
    draw = ImageDraw.Draw(pair)
    x, y = width + ARROW_WIDTH // 2, height // 2
    draw.line([(x - 12, y), (x + 8, y)], FAINT, 2)
    draw.polygon([(x + 12, y), (x + 4, y - 5), (x + 4, y + 5)], FAINT)
    return pair


def placeholder(words: str, width: int, height: int) -> Image.Image:
    """Return a hatched picture that says `words`, in place of one that is missing."""
    picture = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(picture)
    for x in range(-height, width, 12):
        draw.line([(x, height), (x + height, 0)], LINE, 1)
    words = _fitted(words, width - 24, 12)
    box = draw.textbbox((width // 2, height // 2), words, font=_font(12), anchor="mm")
    draw.rectangle((box[0] - 6, box[1] - 4, box[2] + 6, box[3] + 4), PAPER)
    draw.text((width // 2, height // 2), words, FAINT, _font(12), anchor="mm")
    return picture


def webp_within(picture: Image.Image, max_bytes: int, *, lossless: bool = False) -> bytes:
    """Return `picture` as WebP of at most `max_bytes`.

    Lowers the quality first, then the size. With `lossless`, which suits plots, tries lossless
    compression before. Raises ValueError if even a tiny picture is too large.
    """
    if lossless and len(data := _webp(picture, lossless=True)) <= max_bytes:
        return data
    while True:
        for quality in QUALITIES:
            if len(data := _webp(picture, quality=quality)) <= max_bytes:
                return data
        if min(picture.size) < 32:
            raise ValueError(f"a picture of {picture.size} does not fit into {max_bytes} bytes")
        picture = picture.reduce(2)


def _webp(picture: Image.Image, **options: bool | int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", **options)
    return buffer.getvalue()


def _paste(sheet: Image.Image, tile: Tile, x: int, y: int, size: TileSize) -> None:
    picture = tile.picture.convert("RGB")
    picture.thumbnail((size.width - 8, size.height - 8), Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(sheet)
    draw.rounded_rectangle((x, y, x + size.width, y + size.height), 8, "white", LINE)
    sheet.paste(
        picture, (x + (size.width - picture.width) // 2, y + (size.height - picture.height) // 2)
    )
    below = y + size.height
    draw.text((x + 2, below + 5), _fitted(tile.title, size.width, 14), INK, _font(14))
    for top, text in ((24, tile.note), (24 + DETAIL_HEIGHT, tile.detail)):
        draw.text((x + 2, below + top), _fitted(text, size.width, 12), FAINT, _font(12))


def _fitted(text: str, width: int, size: int) -> str:
    text = " ".join(text.split())
    font = _font(size)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for name in SYSTEM_FONTS:
        with suppress(OSError):
            return ImageFont.truetype(name, size)
    return ImageFont.load_default(size)
