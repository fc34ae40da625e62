"""Where each screenshot lies on an encoder's map, and how far the map is up to date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from library_pipeline.store.embeddings import RegisteredEncoder, embedding_table
from library_pipeline.store.records import read_records, write_records

Method = Literal["pca", "umap"]
Positions = NDArray[np.float32]
Point = tuple[str, str, str, str, str, int, int]
"""A component's id, name, client, category and screenshot, and where it lies: 0 to 65,535."""

_STATE = """
select l.method, l.laid_out_at, l.placed_at, count(*), count(a.x), count(*) filter (where a.placed)
from (select distinct c.screenshot_sha256 from pipeline.component c
      join {embedding} e using (screenshot_sha256) where c.removed_at is null) shown
left join pipeline.atlas a
    on a.screenshot_sha256 = shown.screenshot_sha256 and a.encoder_id = %(encoder)s
left join pipeline.atlas_layout l on l.encoder_id = %(encoder)s
group by l.encoder_id
"""
_POSITIONS = """
select screenshot_sha256, x, y from pipeline.atlas where encoder_id = {encoder} order by 1
"""
_POINTS = """
select c.component_id, c.name, c.client, c.category, c.screenshot_sha256,
       round(a.x * 65535)::integer, round(a.y * 65535)::integer
from pipeline.component c join pipeline.atlas a using (screenshot_sha256)
where c.removed_at is null and a.encoder_id = %(encoder)s
order by c.category, c.name, c.component_id limit %(limit)s offset %(skip)s
"""
_STAMP = """
select concat_ws('-', %(encoder)s::integer, count(*), extract(epoch from max(c.indexed_at)),
                 (select extract(epoch from l.placed_at) from pipeline.atlas_layout l
                  where l.encoder_id = %(encoder)s))
from pipeline.component c where c.removed_at is null
"""
_LAID_OUT = """
insert into pipeline.atlas_layout (encoder_id, method) values (%(encoder)s, %(method)s)
on conflict (encoder_id) do update
set method = excluded.method, laid_out_at = now(), placed_at = now()
"""
_INTO = sql.SQL("pipeline.atlas (screenshot_sha256, x, y, encoder_id, placed)")
_POSITION = np.dtype([("digest", "S64"), ("x", "f4"), ("y", "f4")])
_ROW = np.dtype([*_POSITION.descr, ("encoder_id", "i4"), ("placed", "?")])


@dataclass(frozen=True, slots=True)
class AtlasState:
    """How the map was drawn, None for never, and how many of the `shown` screenshots lie on it.

    Of those on it, `placed` ones were put beside their nearest after the layout.
    """

    method: Method | None = None
    laid_out_at: datetime | None = None
    placed_at: datetime | None = None
    shown: int = 0
    on_it: int = 0
    placed: int = 0

    @property
    def waiting(self) -> int:
        """How many searchable screenshots are not on the map yet."""
        return self.shown - self.on_it

    @property
    def share_not_laid_out(self) -> float:
        """What share of the screenshots the layout knew nothing of."""
        return (self.placed + self.waiting) / self.shown if self.shown else 0.0


def atlas_state(connection: psycopg.Connection, encoder: RegisteredEncoder) -> AtlasState:
    """Return how far the map of `encoder` is up to date with what is searchable."""
    statement = sql.SQL(_STATE).format(embedding=embedding_table(encoder.id))
    row = connection.execute(statement, {"encoder": encoder.id}).fetchone()
    return AtlasState(*row) if row else AtlasState()


def positions(
    connection: psycopg.Connection, encoder: RegisteredEncoder
) -> tuple[list[str], Positions]:
    """Return the digests of what is on the map, ascending, and where it lies, (n, 2) in 0 to 1."""
    select = sql.SQL(_POSITIONS).format(encoder=sql.Literal(encoder.id))
    rows = read_records(connection, select, _POSITION)
    where = np.stack([rows["x"], rows["y"]], axis=1)
    return [digest.decode() for digest in rows["digest"].tolist()], where


def atlas_stamp(connection: psycopg.Connection, encoder: RegisteredEncoder) -> str:
    """Return what is another text as soon as `atlas_points` gives anything else."""
    row = connection.execute(_STAMP, {"encoder": encoder.id}).fetchone()
    return row[0] if row else ""


def atlas_points(
    connection: psycopg.Connection,
    encoder: RegisteredEncoder,
    *,
    limit: int | None = None,
    skip: int = 0,
) -> list[Point]:
    """Return the searchable components that are on the map, by category and name."""
    terms = {"encoder": encoder.id, "limit": limit, "skip": skip}
    return connection.execute(_POINTS, terms).fetchall()


def replace_layout(
    connection: psycopg.Connection,
    encoder: RegisteredEncoder,
    method: Method,
    digests: Sequence[str],
    where: Positions,
) -> None:
    """Make the map of `encoder` these screenshots at these (n, 2) positions, and no others."""
    with connection.transaction():
        connection.execute("delete from pipeline.atlas where encoder_id = %s", (encoder.id,))
        connection.execute(_LAID_OUT, {"encoder": encoder.id, "method": method})
        _write(connection, encoder, digests, where, placed=False)


def add_to_map(
    connection: psycopg.Connection,
    encoder: RegisteredEncoder,
    digests: Sequence[str],
    where: Positions,
) -> None:
    """Put screenshots onto the map of `encoder` at these (n, 2) positions."""
    with connection.transaction():
        _write(connection, encoder, digests, where, placed=True)
        connection.execute(
            "update pipeline.atlas_layout set placed_at = now() where encoder_id = %s",
            (encoder.id,),
        )


def _write(
    connection: psycopg.Connection,
    encoder: RegisteredEncoder,
    digests: Sequence[str],
    where: Positions,
    *,
    placed: bool,
) -> None:
    rows = np.empty(len(digests), _ROW)
    rows["digest"] = [digest.encode() for digest in digests]
    rows["x"], rows["y"] = where[:, 0], where[:, 1]
    rows["encoder_id"], rows["placed"] = encoder.id, placed
    write_records(connection, _INTO, rows)
