"""Connections that are kept, for a program that answers many short questions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import tuple_row
from psycopg_pool import ConnectionPool

from library_pipeline.store.database import CONNECTING, Database

WAIT_SECONDS: Final = 3.0  # for a connection to come free, or for the server to be back
_KEPT: Final = 2  # those beyond are closed when they were not needed for a while
_RECONNECT_SECONDS: Final = 4.0  # then whoever asks next has it tried anew, not after long pauses
_CONNECT_SECONDS: Final = 10
# What `discard all` does, but for prepared statements and plans, which are what is worth keeping.
_CLEAN: Final = (
    b"close all; set session authorization default; reset all; unlisten *; "
    b"select pg_advisory_unlock_all(); discard temp; discard sequences"
)


@contextmanager
def pooled(database: Database, size: int) -> Iterator[Database]:
    """Yield `database` with at most `size` connections that are borrowed instead of opened.

    Each is checked before it is lent and cleaned after. Whoever gets none within `WAIT_SECONDS`
    gets psycopg.OperationalError (a PoolTimeout). Survives restarts of the server.
    """

    def check(connection: psycopg.Connection) -> None:
        try:
            _ask(connection, b"")
        except psycopg.OperationalError:
            pool.check()  # what cost this one its server most likely cost the others theirs
            raise

    own = "connect_timeout" in conninfo_to_dict(database.url)
    pool = ConnectionPool(
        database.url,
        kwargs=CONNECTING if own else {**CONNECTING, "connect_timeout": _CONNECT_SECONDS},
        min_size=min(_KEPT, size),
        max_size=size,
        open=False,
        check=check,
        reset=_clean,
        name="library",
        timeout=WAIT_SECONDS,
        reconnect_timeout=_RECONNECT_SECONDS,
    )
    with pool:
        yield replace(database, pool=pool)


def _clean(connection: psycopg.Connection) -> None:
    """Leave nothing of one borrower to the next; what was open the pool has rolled back."""
    connection.autocommit = True
    connection.row_factory = tuple_row
    _ask(connection, _CLEAN)


def _ask(connection: psycopg.Connection, statements: bytes) -> None:
    """Run statements without a cursor, in a third of the time; raises OperationalError."""
    result = connection.pgconn.exec_(statements)
    if result.status == pq.ExecStatus.FATAL_ERROR:
        raise psycopg.OperationalError(result.error_message.decode(errors="replace"))
