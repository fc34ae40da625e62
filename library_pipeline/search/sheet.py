"""Contact sheets: a question and its answers as one picture that can be mailed or committed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

TILE_WIDTH, TILE_HEIGHT = 300, 190
CAPTION_HEIGHT = 44
MARGIN = 16
HEADER_HEIGHT = 46
# Pillow's own font has few accents; these are found where the system keeps its fonts.
SYSTEM_FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial.ttf", "LiberationSans-Regular.ttf")
PAPER, INK, FAINT, LINE = "#f6f7f9", "#16181d", "#667085", "#d5d9e0"


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture on a sheet, with a line in ink and a fainter one below it."""

    picture: Image.Image
    title: str
    note: str


def contact_sheet(
    heading: str, tiles: Sequence[Tile], *, query: Tile | None = None, columns: int = 4
) -> Image.Image:
    """Return an RGB sheet: the heading, the query picture at the left, the tiles beside it."""
    columns = max(1, min(columns, len(tiles) or 1))
    rows = max(1, -(-len(tiles) // columns))
    left = MARGIN + (TILE_WIDTH + 2 * MARGIN if query else 0)
    width = left + columns * (TILE_WIDTH + MARGIN)
    height = HEADER_HEIGHT + MARGIN + rows * (TILE_HEIGHT + CAPTION_HEIGHT + MARGIN)
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN), _fitted(heading, width - 2 * MARGIN, 20), INK, _font(20))
    if query:
        _paste(sheet, query, MARGIN, HEADER_HEIGHT + MARGIN)
        x = left - MARGIN
        draw.line([(x, HEADER_HEIGHT + MARGIN), (x, height - MARGIN)], LINE, 2)
    for position, tile in enumerate(tiles):
        row, column = divmod(position, columns)
        x = left + column * (TILE_WIDTH + MARGIN)
        y = HEADER_HEIGHT + MARGIN + row * (TILE_HEIGHT + CAPTION_HEIGHT + MARGIN)
        _paste(sheet, tile, x, y)
    return sheet


def stacked(sheets: Sequence[Image.Image]) -> Image.Image:
    """Return one sheet below the other."""
    width = max(sheet.width for sheet in sheets)
    whole = Image.new("RGB", (width, sum(sheet.height for sheet in sheets)), PAPER)
    y = 0
    for sheet in sheets:
        whole.paste(sheet, (0, y))
        y += sheet.height
    return whole


def _paste(sheet: Image.Image, tile: Tile, x: int, y: int) -> None:
    picture = tile.picture.convert("RGB")
    picture.thumbnail((TILE_WIDTH - 8, TILE_HEIGHT - 8), Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(sheet)
    draw.rounded_rectangle((x, y, x + TILE_WIDTH, y + TILE_HEIGHT), 8, "white", LINE)
    sheet.paste(
        picture, (x + (TILE_WIDTH - picture.width) // 2, y + (TILE_HEIGHT - picture.height) // 2)
    )
    draw.text((x + 2, y + TILE_HEIGHT + 5), _fitted(tile.title, TILE_WIDTH, 14), INK, _font(14))
    draw.text((x + 2, y + TILE_HEIGHT + 24), _fitted(tile.note, TILE_WIDTH, 12), FAINT, _font(12))


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
