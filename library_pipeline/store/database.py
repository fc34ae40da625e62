"""Connections to the library's database: the embedded server's, or the one that is configured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import psycopg

from library_pipeline.settings import (
    DAGSTER_DATABASE_VARIABLE,
    DATABASE_VARIABLE,
    Settings,
    SettingsError,
)
from library_pipeline.shipped import shipped
from library_pipeline.store.embedded import EmbeddedServer
from library_pipeline.store.migrate import migrate

if TYPE_CHECKING:
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
