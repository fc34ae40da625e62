"""The two databases: reachable, new enough, with pgvector, migrated, writable, durable."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import psycopg

from library_pipeline.cli.brief_connection import brief_connection
from library_pipeline.cli.doctor.check import Check, gigabytes, one_line
from library_pipeline.cli.doctor.server import (
    can_create_vector,
    cautions,
    judge_pgvector,
    judge_server,
    pgvector,
    schema,
    writable,
)
from library_pipeline.settings import DAGSTER_DATABASE_VARIABLE, DATABASE_VARIABLE, Settings
from library_pipeline.store.database import Database
from library_pipeline.store.embedded import EmbeddedServer, EmbeddedServerError
from library_pipeline.store.embedded.files import ServerFiles

_CONNECT_SECONDS = 5
_START_SECONDS = 45.0
_connected = partial(
    brief_connection,
    connect_seconds=_CONNECT_SECONDS,
    statement_seconds=8,
    who="library-pipeline doctor",
)


def check_database(settings: Settings) -> Iterator[Check]:
    """Yield the state of the library's database, then of Dagster's."""
    try:
        with _urls(settings) as database:
            if settings.database_url is None:
                yield _embedded(settings)
            yield from _library(database.url, ours=settings.database_url is None)
            yield from _dagster(database.dagster_url)
    except EmbeddedServerError as error:
        yield Check("database", "wrong", one_line(error), "docs/embedded-postgres.md knows more")
    except LookupError as error:
        yield Check("database", "wrong", str(error.args[0]), "Dagster needs a database of its own")


@contextmanager
def dagster_has_tables(settings: Settings) -> Iterator[Database | None]:
    """Yield the databases if Dagster has been at work in its own, else None."""
    with _urls(settings) as database, _connected(_plain(database.dagster_url)) as connection:
        found = connection.execute("select to_regclass('daemon_heartbeats')").fetchone()
        yield database if found != (None,) else None


@contextmanager
def _urls(settings: Settings) -> Iterator[Database]:
    """Yield where the databases are, without the migrations that `open_database` would apply."""
    url, dagster_url = settings.database_url, settings.dagster_database_url
    if url is None:
        with EmbeddedServer(settings.home).acquire(_START_SECONDS) as server:
            yield Database(server.url("library"), server.dagster_url("dagster"))
        return
    if dagster_url is None:
        raise LookupError(f"{DATABASE_VARIABLE} is set but {DAGSTER_DATABASE_VARIABLE} is not")
    yield Database(url.get_secret_value(), dagster_url.get_secret_value())


def _embedded(settings: Settings) -> Check:
    data = ServerFiles.below(settings.home).data
    return Check("embedded server", "ok", f"runs, with durable settings, in {data}")


def _library(url: str, *, ours: bool) -> Iterator[Check]:
    try:
        with _connected(url) as connection:
            yield judge_server(connection.info.server_version, _where(connection))
            yield judge_pgvector(*pgvector(connection), can_create=can_create_vector(connection))
            yield schema(connection)
            yield writable(connection, "writable", f"{_size(connection)} of data")
            yield from cautions(connection, ours=ours)
    except psycopg.Error as error:
        yield _unreachable("database", error, DATABASE_VARIABLE)


def _dagster(url: str) -> Iterator[Check]:
    name = "dagster database"
    try:
        with _connected(_plain(url)) as connection:
            yield writable(connection, name, f"{_where(connection)}, {_size(connection)} of data")
    except psycopg.Error as error:
        yield _unreachable(name, error, DAGSTER_DATABASE_VARIABLE)


def _size(connection: psycopg.Connection) -> str:
    row = connection.execute("select pg_database_size(current_database())").fetchone()
    return gigabytes(row[0]) if row else "?"


def _where(connection: psycopg.Connection) -> str:
    info = connection.info
    return f"database {info.dbname} on {info.host or 'a local socket'} as {info.user}"


def _unreachable(name: str, error: psycopg.Error, variable: str) -> Check:
    way_out = f"is the server running, and {variable} right (user, password, host, database)?"
    # libpq's own question, which the way out asks better.
    said = [line for line in str(error).splitlines() if "Is the server running" not in line]
    found = " ".join(" ".join(said).split()).removeprefix("connection failed: ")
    return Check(name, "wrong", found[:500] or type(error).__name__, way_out)


def _plain(url: str) -> str:
    """Return an SQLAlchemy URL as libpq knows it."""
    return re.sub(r"^postgresql\+\w+:", "postgresql:", url)
