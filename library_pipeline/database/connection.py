"""Connections to the library's database: new ones, pooled ones, and leases held by one.

A lease is a lock that the database server frees when the process of its holder dies.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import tuple_row
from psycopg_pool import ConnectionPool

from library_pipeline.database.migrations import migrate
from library_pipeline.embedded_server import EmbeddedServer
from library_pipeline.settings import (
    DAGSTER_DATABASE_VARIABLE,
    DATABASE_VARIABLE,
    Settings,
    SettingsError,
)
from library_pipeline.shipped import shipped

Connection = psycopg.Connection[tuple[object, ...]]
# Autocommit: every `transaction()` is a real one.
CONNECTING: Final[dict[str, Any]] = {"autocommit": True, "application_name": "library-pipeline"}


@dataclass(frozen=True, slots=True)
class Database:
    """The library's database and the one in which Dagster keeps its own records.

    With a `pool` (see `pooled`) its connections are borrowed; without one, each is new.
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
        """Yield a new connection outside the pool, to listen or to hold a lock for long."""
        with psycopg.connect(self.url, **CONNECTING) as connection:
            yield connection


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """Yield the configured database, migrated; the embedded server runs while it is used.

    Raises SettingsError if only one of two URLs is set, EmbeddedServerError, MigrationError.
    """
    with open_unmigrated(settings) as database:
        migrate(database.url, shipped("sql"))
        yield database


@contextmanager
def open_unmigrated(settings: Settings, *, seconds: float = 60) -> Iterator[Database]:
    """Yield the configured database as it is; start the embedded server within `seconds`.

    Raises SettingsError if only one of two URLs is set, EmbeddedServerError.
    """
    url, dagster_url = settings.database_url, settings.dagster_database_url
    if url is None:
        with EmbeddedServer(settings.home).acquire(seconds) as server:
            yield Database(server.url("library"), server.dagster_url("dagster"))
        return
    if dagster_url is None:
        raise SettingsError(
            f"{DATABASE_VARIABLE} is set but {DAGSTER_DATABASE_VARIABLE} is not; Dagster needs a "
            "database of its own, for example postgresql+psycopg2://user@host/dagster"
        )
    yield Database(url.get_secret_value(), dagster_url.get_secret_value())


WAIT_SECONDS: Final = 3.0  # for a connection to come free, or for the server to be back
_MIN_CONNECTIONS: Final = 2  # further ones are closed after a while without use
_RECONNECT_SECONDS: Final = 4.0  # short, so that the pool tries again before pauses grow long
_CONNECT_SECONDS: Final = 10
# The same as `discard all`, except that prepared statements and plans are kept.
_CLEAN: Final = (
    b"close all; set session authorization default; reset all; unlisten *; "
    b"select pg_advisory_unlock_all(); discard temp; discard sequences"
)


@contextmanager
def pooled(database: Database, size: int) -> Iterator[Database]:
    """Yield `database` with at most `size` connections that are borrowed instead of opened.

    The pool checks each connection before it lends it, cleans it afterwards, and survives restarts
    of the server. `connect` raises psycopg.OperationalError (a PoolTimeout) if no connection comes
    free within `WAIT_SECONDS`.
    """

    def check(connection: psycopg.Connection) -> None:
        try:
            _set_up(connection, b"")
        except psycopg.OperationalError:
            pool.check()  # the others have most likely lost their server too
            raise

    def clean(connection: psycopg.Connection) -> None:
        # The pool has rolled back what was open; nothing else may reach the next borrower either.
        connection.autocommit = True
        connection.row_factory = tuple_row
        _set_up(connection, _CLEAN)

    own = "connect_timeout" in conninfo_to_dict(database.url)
    pool = ConnectionPool(
        database.url,
        kwargs=CONNECTING if own else {**CONNECTING, "connect_timeout": _CONNECT_SECONDS},
        min_size=min(_MIN_CONNECTIONS, size),
        max_size=size,
        open=False,
        check=check,
        reset=clean,
        name="library",
        timeout=WAIT_SECONDS,
        reconnect_timeout=_RECONNECT_SECONDS,
    )
    with pool:
        yield replace(database, pool=pool)


def _set_up(connection: psycopg.Connection, statements: bytes) -> None:
    """Run statements without a cursor, in a third of the time; raises OperationalError."""
    result = connection.pgconn.exec_(statements)
    if result.status == pq.ExecStatus.FATAL_ERROR:
        raise psycopg.OperationalError(result.error_message.decode(errors="replace"))


BUNDLES_IN_USE = "bundles in use"
"""A run that uses bundles or vectors holds this lease; one that deletes some holds it alone."""


@contextmanager
def lease(database: Database, *names: str) -> Iterator[None]:
    """Hold the leases `names`, together with other holders, on a own connection.

    Waits while another connection holds one of them alone.
    """
    with database.connect() as connection:
        for name in names:
            connection.execute("select pg_advisory_lock_shared(hashtextextended(%s, 0))", (name,))
        try:
            yield
        finally:
            # Closing the connection frees them too, but a moment later than the next query.
            with suppress(psycopg.OperationalError):
                connection.execute("select pg_advisory_unlock_all()")


@contextmanager
def sole_lease(connection: psycopg.Connection, name: str) -> Iterator[bool]:
    """Hold a lease alone in the block; yield False at once if another connection holds it."""
    row = connection.execute(
        "select pg_try_advisory_lock(hashtextextended(%s, 0))", (name,)
    ).fetchone()
    held = bool(row and row[0])
    try:
        yield held
    finally:
        if held and not connection.closed:
            connection.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", (name,))


def lease_is_free(connection: psycopg.Connection, name: str) -> bool:
    """Return whether no connection holds the lease `name`."""
    with sole_lease(connection, name) as free:
        return free
