"""Pictures in a terminal: two pixels a character, one as its colour, one as its background."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PIL import Image
from rich.color import Color
from rich.console import Console, Group
from rich.style import Style
from rich.table import Table
from rich.text import Text

from library_pipeline.cli.source.screen import Screen
from library_pipeline.cli.source.shots import Shot
from library_pipeline.encoders import read_image

_TILE: Final = 34
_GAP: Final = 2
_UPPER_HALF: Final = "▀"


def shows_colours(console: Console) -> bool:
    """Return whether pictures can be told on this terminal; sixteen colours are too few."""
    enough = console.color_system in ("truecolor", "256")
    return console.is_terminal and enough and not console.no_color


def draw(console: Console, shots: Sequence[Shot], screen: Screen) -> None:
    """Print the pictures, as many in a row as fit, each with its id and name below it."""
    columns = max(1, (console.width + _GAP) // (_TILE + _GAP))
    width = min(_TILE, console.width)
    for start in range(0, len(shots), columns):
        row = Table.grid(padding=(0, _GAP, 0, 0))
        tiles = [_tile(shot, width, screen) for shot in shots[start : start + columns]]
        for _ in tiles:
            row.add_column(width=width, no_wrap=True, overflow="ellipsis", vertical="bottom")
        row.add_row(*tiles)
        console.print(row)
        console.print()


def _tile(shot: Shot, width: int, screen: Screen) -> Group:
    lines = [Text(screen.clean(shot.component_id), style="bold")]
    if shot.name != shot.component_id:
        lines.append(Text(screen.clean(shot.name)))
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Group(half_blocks(read_image(shot.picture or b""), width), *lines)


def half_blocks(picture: Image.Image, width: int) -> Text:
    """Return a picture in lines of at most `width` characters, with its shape kept.

    A character is taken to be twice as high as wide; the picture is at most three quarters as high
    as wide.
    """
    scale = min(width / picture.width, width * 3 / 4 / picture.height)
    columns = max(1, round(picture.width * scale))
    rows = max(1, round(picture.height * scale / 2))
    small = picture.resize((columns, 2 * rows), Image.Resampling.BOX)
    pixels = small.tobytes()  # RGB, row by row

    def colour(x: int, y: int) -> Color:
        at = 3 * (y * columns + x)
        return Color.from_rgb(*pixels[at : at + 3])

    text = Text(no_wrap=True)
    for y in range(0, 2 * rows, 2):
        if y:
            text.append("\n")
        for x in range(columns):
            text.append(_UPPER_HALF, Style(color=colour(x, y), bgcolor=colour(x, y + 1)))
    return text
