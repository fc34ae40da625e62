"""A look at a database that migrates nothing and leaves nothing behind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg

from library_pipeline.embedded_server import EmbeddedServer
from library_pipeline.settings import Settings

_CONNECT_SECONDS: Final = 3
_DURABLE: Final = ["fsync", "full_page_writes", "synchronous_commit"]


@contextmanager
def brief_connection(
    url: str,
    *,
    connect_seconds: int = _CONNECT_SECONDS,
    statement_seconds: int = 5,
    application: str = "library-pipeline",
) -> Iterator[psycopg.Connection]:
    """Yield an autocommit connection that never waits for long; raises psycopg.Error.

    `url` may be a libpq or an SQLAlchemy URL. The server lists the connection as `application`.
    """
    with psycopg.connect(
        re.sub(r"^postgresql\+\w+:", "postgresql:", url),
        autocommit=True,
        connect_timeout=connect_seconds,
        application_name=application,
    ) as connection:
        # Not by `options`, which poolers such as pgbouncer refuse.
        limit = str(statement_seconds * 1000)
        connection.execute("select set_config('statement_timeout', %s, false)", (limit,))
        yield connection


@contextmanager
def connect_if_running(settings: Settings) -> Iterator[psycopg.Connection | None]:
    """Yield a connection to the library's database, None if the embedded server does not run.

    Starts no server. Raises psycopg.Error, EmbeddedServerError.
    """
    if settings.database_url is not None:
        with brief_connection(settings.database_url.get_secret_value()) as connection:
            yield connection
        return
    server = EmbeddedServer(settings.home)
    if not server.is_running():
        yield None
        return
    with server.acquire(_CONNECT_SECONDS), brief_connection(server.url("library")) as connection:
        yield connection


def has_dagster_tables(connection: psycopg.Connection) -> bool:
    """Return whether Dagster has made its tables in this database."""
    found = connection.execute("select to_regclass('daemon_heartbeats')").fetchone()
    return found != (None,)


def database_size(connection: psycopg.Connection) -> int:
    """Return the size of the database in bytes."""
    row = connection.execute("select pg_database_size(current_database())").fetchone()
    return row[0] if row else 0


def pgvector_versions(connection: psycopg.Connection) -> tuple[str | None, str | None]:
    """Return the version of pgvector in the database and that on the server, None if absent."""
    row = connection.execute(
        "select (select extversion from pg_extension where extname = 'vector'),"
        " (select default_version from pg_available_extensions where name = 'vector')"
    ).fetchone()
    return row or (None, None)


def can_create_pgvector(connection: psycopg.Connection) -> bool:
    """Return whether this user may create the extension: create it, then roll back."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute("create extension if not exists vector")
    except psycopg.Error:
        return False
    return True


def try_to_write(connection: psycopg.Connection) -> None:
    """Create a schema and a filled table, then roll back; raises psycopg.Error."""
    with connection.transaction(force_rollback=True):
        connection.execute("create schema library_pipeline_doctor")
        connection.execute("create table library_pipeline_doctor.probe as select 1 as one")


def unsafe_settings(connection: psycopg.Connection) -> list[str]:
    """Return the server settings that are off although durable commits need them."""
    rows = connection.execute(
        "select name from pg_settings where name = any(%s) and setting = 'off'", [_DURABLE]
    )
    return [name for (name,) in rows]


def uses_posix_memory(connection: psycopg.Connection) -> bool:
    """Return whether parallel workers share memory in /dev/shm."""
    return connection.execute("show dynamic_shared_memory_type").fetchone() == ("posix",)
