"""Rows as numpy arrays, read from PostgreSQL and written to it by COPY BINARY: millions in seconds.

The format: https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS-BINARY
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

Records = NDArray[np.void]

_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END: Final = b"\xff\xff"
_BLOCK_ROWS: Final = 100_000


def read_records(
    connection: psycopg.Connection,
    select: sql.Composable,
    dtype: np.dtype[np.void],
    terms: Mapping[str, Any] | None = None,
) -> Records:
    """Return the rows of `select`, which has no nulls, as an array of the structured `dtype`.

    Its fields are the columns in their order: `integer` as i4, `real` as f4, a text of 64 bytes
    as S64.
    """
    statement = sql.SQL("copy ({}) to stdout (format binary)").format(select)
    with connection.cursor() as cursor, cursor.copy(statement, terms) as copy:
        data = b"".join(copy)
    body = memoryview(data)[len(_HEADER) : -len(_END)]
    wire = np.frombuffer(body, _wire(dtype))
    rows = np.empty(len(wire), dtype)
    for name in dtype.names or ():
        rows[name] = wire[name]
    return rows


def write_records(connection: psycopg.Connection, into: sql.Composable, rows: Records) -> None:
    """Append `rows` to the table and columns `into`; `read_records` names the types of fields."""
    wire = _wire(rows.dtype)
    statement = sql.SQL("copy {} from stdin (format binary)").format(into)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(_HEADER)
        for start in range(0, len(rows), _BLOCK_ROWS):
            some = rows[start : start + _BLOCK_ROWS]
            block = np.empty(len(some), wire)
            block["columns"] = len(rows.dtype.names or ())
            for name in rows.dtype.names or ():
                block[f"{name} size"] = rows.dtype[name].itemsize
                block[name] = some[name]
            copy.write(block.tobytes())
        copy.write(_END)


def _wire(dtype: np.dtype[np.void]) -> np.dtype[np.void]:
    """Return the wire format of a row: the number of columns, then the size and bytes of each."""
    fields: list[tuple[str, Any]] = [("columns", ">i2")]
    for name in dtype.names or ():
        fields += [(f"{name} size", ">i4"), (name, dtype[name].newbyteorder(">"))]
    return np.dtype(fields)
