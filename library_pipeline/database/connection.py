"""Connections to the library's database: opened one by one, or kept in a pool."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import psycopg

from library_pipeline.database.migrations import migrate
from library_pipeline.embedded_server import EmbeddedServer
from library_pipeline.settings import (
    DAGSTER_DATABASE_VARIABLE,
    DATABASE_VARIABLE,
    Settings,
    SettingsError,
)
from library_pipeline.shipped import shipped

if TYPE_CHECKING:
    from psycopg_pool import ConnectionPool
from dataclasses import replace

from psycopg import pq
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import tuple_row
from psycopg_pool import ConnectionPool

Connection = psycopg.Connection[tuple[object, ...]]
# Autocommit: every `transaction()` is a real one.
CONNECTING: Final[dict[str, Any]] = {"autocommit": True, "application_name": "library-pipeline"}


@dataclass(frozen=True, slots=True)
class Database:
    """The library's database and the one in which Dagster keeps its own records.

    With a `pool` (see `store.pool`) its connections are borrowed, else each is a new one.
    """

    url: str = field(repr=False)
    dagster_url: str = field(repr=False)
    pool: ConnectionPool | None = field(default=None, repr=False, compare=False)

    @contextmanager
    def connect(self) -> Iterator[psycopg.Connection]:
        """Yield a connection in autocommit mode; group statements with `transaction()`."""
        with self.pool.connection() if self.pool else self.dedicated() as connection:
            yield connection

    @contextmanager
    def dedicated(self) -> Iterator[psycopg.Connection]:
        """Open a connection of one's own, to listen or to hold a lock for long."""
        with psycopg.connect(self.url, **CONNECTING) as connection:
            yield connection


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """Yield the configured database, migrated; the embedded server runs as long as it is used."""
    if settings.database_url is None:
        with EmbeddedServer(settings.home) as server:
            yield _migrated(Database(server.url("library"), server.dagster_url("dagster")))
        return
    if settings.dagster_database_url is None:
        raise SettingsError(
            f"{DATABASE_VARIABLE} is set but {DAGSTER_DATABASE_VARIABLE} is not; Dagster needs a "
            "database of its own, for example postgresql+psycopg2://user@host/dagster"
        )
    yield _migrated(
        Database(
            settings.database_url.get_secret_value(),
            settings.dagster_database_url.get_secret_value(),
        )
    )


def _migrated(database: Database) -> Database:
    migrate(database.url, shipped("sql"))
    return database


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
            _set_up(connection, b"")
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
        reset=_reset,
        name="library",
        timeout=WAIT_SECONDS,
        reconnect_timeout=_RECONNECT_SECONDS,
    )
    with pool:
        yield replace(database, pool=pool)


def _reset(connection: psycopg.Connection) -> None:
    """Leave nothing of one borrower to the next; what was open the pool has rolled back."""
    connection.autocommit = True
    connection.row_factory = tuple_row
    _set_up(connection, _CLEAN)


def _set_up(connection: psycopg.Connection, statements: bytes) -> None:
    """Run statements without a cursor, in a third of the time; raises OperationalError."""
    result = connection.pgconn.exec_(statements)
    if result.status == pq.ExecStatus.FATAL_ERROR:
        raise psycopg.OperationalError(result.error_message.decode(errors="replace"))
