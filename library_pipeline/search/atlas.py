"""The atlas: a map of the searchable screenshots on which similar ones are neighbours."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import numpy as np
import psycopg
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from psycopg import sql

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.database.connection import sole_lease
from library_pipeline.database.records import read_records, write_records
from library_pipeline.index.embeddings import all_vectors, embedding_table
from library_pipeline.index.write import thumbnails
from library_pipeline.search.layout import (
    MIN_FOR_UMAP,
    Positions,
    UmapMissing,
    beside,
    by_principal_components,
    by_umap,
    umap_is_installed,
)
from library_pipeline.search.sheet import LINE, PAPER, webp_within

MAX_SHARE_BESIDE: Final = 0.1
"""If more of the screenshots than this share are newer than the layout, a new layout is due."""
MAX_PICTURE_BYTES: Final = 110_000  # 150 kB as base64
PICTURE_SIDE: Final = 900
_TILE: Final = 56, 42
_POINT_COLOUR: Final = "#98a2b3"

Method = Literal["pca", "umap"]
Point = tuple[str, str, str, str, str, int, int]
"""A component's id, name, client, category and screenshot, and its x and y from 0 to 65,535."""


@dataclass(frozen=True, slots=True)
class AtlasState:
    """The method and time of an encoder's layout, None before the first, and its coverage.

    `on_it` of the `shown` searchable screenshots are on the map; `placed` of these were put
    beside their nearest neighbours after the layout.
    """

    method: Method | None = None
    laid_out_at: datetime | None = None
    placed_at: datetime | None = None
    shown: int = 0
    on_it: int = 0
    placed: int = 0

    @property
    def waiting(self) -> int:
        """The number of searchable screenshots that are not on the map yet."""
        return self.shown - self.on_it

    @property
    def share_not_laid_out(self) -> float:
        """The share of the searchable screenshots that are newer than the layout."""
        return (self.placed + self.waiting) / self.shown if self.shown else 0.0

    @property
    def umap_is_due(self) -> bool:
        """Whether UMAP should lay out the map: it never did, or too many screenshots are new."""
        if self.shown < MIN_FOR_UMAP:
            return False
        return self.method != "umap" or self.share_not_laid_out > MAX_SHARE_BESIDE


_STATE = """
select l.method, l.laid_out_at, l.placed_at, count(*), count(a.x), count(*) filter (where a.placed)
from (select distinct c.screenshot_sha256 from pipeline.component c
      join {embedding} e using (screenshot_sha256) where c.removed_at is null) shown
left join pipeline.atlas a
    on a.screenshot_sha256 = shown.screenshot_sha256 and a.encoder_id = %(encoder)s
left join pipeline.atlas_layout l on l.encoder_id = %(encoder)s
group by l.encoder_id
"""


def read_atlas_state(connection: psycopg.Connection, encoder: EncoderInfo) -> AtlasState:
    """Return how well the map of `encoder` covers the searchable screenshots."""
    statement = sql.SQL(_STATE).format(embedding=embedding_table(encoder.id))
    row = connection.execute(statement, {"encoder": encoder.id}).fetchone()
    return AtlasState(*row) if row else AtlasState()


_POSITION = np.dtype([("digest", "S64"), ("x", "f4"), ("y", "f4")])
_POSITIONS = """
select screenshot_sha256, x, y from pipeline.atlas where encoder_id = {encoder} order by 1
"""


def read_positions(
    connection: psycopg.Connection, encoder: EncoderInfo
) -> tuple[list[str], Positions]:
    """Return the digests of the screenshots on the map, ascending, and their positions (n, 2)."""
    select = sql.SQL(_POSITIONS).format(encoder=sql.Literal(encoder.id))
    rows = read_records(connection, select, _POSITION)
    where = np.stack([rows["x"], rows["y"]], axis=1)
    return [digest.decode() for digest in rows["digest"].tolist()], where


_POINTS = """
select c.component_id, c.name, c.client, c.category, c.screenshot_sha256,
       round(a.x * 65535)::integer, round(a.y * 65535)::integer
from pipeline.component c join pipeline.atlas a using (screenshot_sha256)
where c.removed_at is null and a.encoder_id = %(encoder)s
order by c.category, c.name, c.component_id limit %(limit)s offset %(skip)s
"""


def read_points(
    connection: psycopg.Connection,
    encoder: EncoderInfo,
    *,
    limit: int | None = None,
    skip: int = 0,
) -> list[Point]:
    """Return the searchable components that are on the map, by category and name."""
    terms = {"encoder": encoder.id, "limit": limit, "skip": skip}
    return connection.execute(_POINTS, terms).fetchall()


_STAMP = """
select concat_ws('-', %(encoder)s::integer, count(*), extract(epoch from max(c.indexed_at)),
                 (select extract(epoch from l.placed_at) from pipeline.atlas_layout l
                  where l.encoder_id = %(encoder)s))
from pipeline.component c where c.removed_at is null
"""


def read_stamp(connection: psycopg.Connection, encoder: EncoderInfo) -> str:
    """Return a text that changes whenever the result of `read_points` changes."""
    row = connection.execute(_STAMP, {"encoder": encoder.id}).fetchone()
    return row[0] if row else ""


@dataclass(frozen=True, slots=True)
class AtlasUpdate:
    """The result of an update: a new layout by `method`, or only additions if that is None."""

    method: Method | None
    screenshots: int
    added: int


def update_atlas(
    connection: psycopg.Connection, encoder: EncoderInfo, *, umap: bool
) -> AtlasUpdate | None:
    """Bring the map of `encoder` up to date.

    Returns None if it is up to date, or if another process updates it. With `umap` everything is
    laid out anew, which takes a minute of a core for 20,000 screenshots. Without it, new
    screenshots are placed beside their nearest neighbours; a map that UMAP has not laid out is
    laid out by principal components, which takes seconds.
    The connection must be in autocommit mode, and no screenshot may be deleted meanwhile. Raises
    UmapMissing, with nothing changed, if UMAP is needed and not installed.
    """
    with sole_lease(connection, f"atlas of encoder {encoder.id}") as alone:
        state = read_atlas_state(connection, encoder)
        if not alone or not state.shown:
            return None
        method = _next_method(state, umap=umap)
        if method == "umap" and not umap_is_installed():
            raise UmapMissing
        if method is None and not state.waiting:
            return None
        digests, vectors = all_vectors(connection, encoder, searchable=True)
        known = dict(zip(*read_positions(connection, encoder), strict=True))
        fresh = np.array([digest not in known for digest in digests])
        where = np.array([known.get(digest, (0.5, 0.5)) for digest in digests], np.float32)
        if fresh.all() or method == "pca":
            where = by_principal_components(vectors)
            method = method or "pca"
        elif fresh.any():
            where[fresh] = beside(vectors[fresh], vectors[~fresh], where[~fresh])
        if method == "umap":
            where = by_umap(vectors, where, anew=state.method != "umap")
        if method is None:
            new = [digest for digest, is_new in zip(digests, fresh, strict=True) if is_new]
            _write_positions(connection, encoder, None, new, where[fresh])
        else:
            _write_positions(connection, encoder, method, digests, where)
        return AtlasUpdate(method, len(digests), int(fresh.sum()))


def _next_method(state: AtlasState, *, umap: bool) -> Method | None:
    """Return the method of the new layout; None keeps the layout and adds to it."""
    if umap:
        return "umap" if state.shown >= MIN_FOR_UMAP else "pca"
    # Principal components are cheap enough to repeat, until UMAP has laid out a better map.
    outdated = state.method == "pca" and state.share_not_laid_out > MAX_SHARE_BESIDE
    return "pca" if state.method is None or outdated else None


_ADDED_TO = "update pipeline.atlas_layout set placed_at = now() where encoder_id = %(encoder)s"
_LAID_OUT = """
insert into pipeline.atlas_layout (encoder_id, method) values (%(encoder)s, %(method)s)
on conflict (encoder_id) do update
set method = excluded.method, laid_out_at = now(), placed_at = now()
"""


def _write_positions(
    connection: psycopg.Connection,
    encoder: EncoderInfo,
    method: Method | None,
    digests: Sequence[str],
    where: Positions,
) -> None:
    """Replace the map of `encoder` by a layout of `method`; add to the map if that is None."""
    dtype = np.dtype([*_POSITION.descr, ("encoder_id", "i4"), ("placed", "?")])
    rows = np.empty(len(digests), dtype)
    rows["digest"] = [digest.encode() for digest in digests]
    rows["x"], rows["y"] = where[:, 0], where[:, 1]
    rows["encoder_id"], rows["placed"] = encoder.id, method is None
    columns = sql.SQL("pipeline.atlas (screenshot_sha256, x, y, encoder_id, placed)")
    terms = {"encoder": encoder.id, "method": method}
    with connection.transaction():
        if method is None:
            connection.execute(_ADDED_TO, terms)
        else:
            connection.execute("delete from pipeline.atlas where encoder_id = %(encoder)s", terms)
            connection.execute(_LAID_OUT, terms)
        write_records(connection, columns, rows)


def draw_atlas(connection: psycopg.Connection, encoder: EncoderInfo) -> bytes:
    """Return the map of `encoder` as a square WebP of at most `MAX_PICTURE_BYTES`.

    It shows thumbnails where there is room, and points elsewhere.
    """
    digests, where = read_positions(connection, encoder)
    picture = Image.new("RGB", (PICTURE_SIDE, PICTURE_SIDE), PAPER)
    draw = ImageDraw.Draw(picture)
    draw.point([(x, y) for x, y in (where * (PICTURE_SIDE - 1)).tolist()], _POINT_COLOUR)
    apart = _far_enough_apart(where)
    webps = thumbnails(connection, [digests[index] for index in apart])
    for index in apart:
        if webp := webps.get(digests[index]):
            tile = Image.open(io.BytesIO(webp)).convert("RGB")
            tile.thumbnail((_TILE[0] - 4, _TILE[1] - 4))
            x, y = where[index] * (PICTURE_SIDE - 1)
            left = min(max(round(x - tile.width / 2), 1), PICTURE_SIDE - tile.width - 1)
            top = min(max(round(y - tile.height / 2), 1), PICTURE_SIDE - tile.height - 1)
            draw.rectangle((left - 1, top - 1, left + tile.width, top + tile.height), outline=LINE)
            picture.paste(tile, (left, top))
    return webp_within(picture, MAX_PICTURE_BYTES)


def _far_enough_apart(where: Positions) -> NDArray[np.intp]:
    """Return indexes whose thumbnails do not hide each other: one for each cell of a grid."""
    columns, rows = PICTURE_SIDE // _TILE[0], PICTURE_SIDE // _TILE[1]
    cells = np.minimum((where * (columns, rows)).astype(int), (columns - 1, rows - 1))
    return np.unique(cells[:, 1] * columns + cells[:, 0], return_index=True)[1]
