"""The map as one picture: thumbnails at their places where there is room, points elsewhere."""

from __future__ import annotations

import io
from typing import Final

import numpy as np
import psycopg
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from library_pipeline.search.sheet import LINE, PAPER
from library_pipeline.store.atlas import Positions, positions
from library_pipeline.store.embeddings import RegisteredEncoder
from library_pipeline.store.index import thumbnails

MOST_BYTES: Final = 110_000  # 150 kB as base64
SIDE: Final = 900
_TILE: Final = 56, 42
_POINT: Final = "#98a2b3"


def atlas_picture(connection: psycopg.Connection, encoder: RegisteredEncoder) -> bytes:
    """Return the map of `encoder` as a WebP of at most `MOST_BYTES`, `SIDE` pixels square."""
    digests, where = positions(connection, encoder)
    some = with_room(where)
    found = thumbnails(connection, [digests[place] for place in some])
    shown = [(where[place], found[digests[place]]) for place in some if digests[place] in found]
    return _webp(_drawn(where, shown))


def with_room(where: Positions) -> NDArray[np.intp]:
    """Return the places whose thumbnails do not hide each other: one in each cell of a grid."""
    columns, rows = SIDE // _TILE[0], SIDE // _TILE[1]
    cells = np.minimum((where * (columns, rows)).astype(int), (columns - 1, rows - 1))
    return np.unique(cells[:, 1] * columns + cells[:, 0], return_index=True)[1]


def _drawn(where: Positions, shown: list[tuple[Positions, bytes]]) -> Image.Image:
    sheet = Image.new("RGB", (SIDE, SIDE), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.point([(x, y) for x, y in (where * (SIDE - 1)).tolist()], _POINT)
    for (x, y), webp in shown:
        if not webp:
            continue
        tile = Image.open(io.BytesIO(webp)).convert("RGB")
        tile.thumbnail((_TILE[0] - 4, _TILE[1] - 4))
        left = round(x * (SIDE - 1) - tile.width / 2)
        top = round(y * (SIDE - 1) - tile.height / 2)
        left = min(max(left, 1), SIDE - tile.width - 1)
        top = min(max(top, 1), SIDE - tile.height - 1)
        draw.rectangle((left - 1, top - 1, left + tile.width, top + tile.height), outline=LINE)
        sheet.paste(tile, (left, top))
    return sheet


def _webp(picture: Image.Image) -> bytes:
    """Return `picture` as good as it gets in `MOST_BYTES`."""
    for quality in (80, 60, 40, 20):
        data = io.BytesIO()
        picture.save(data, "WEBP", quality=quality)
        if data.tell() <= MOST_BYTES:
            return data.getvalue()
    return _webp(picture.resize((picture.width // 2, picture.height // 2)))
