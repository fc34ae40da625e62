"""Connections to the library's database: the embedded server's, or the one that is configured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

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

Connection = psycopg.Connection[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Database:
    """The library's database and the one in which Dagster keeps its own records."""

    url: str = field(repr=False)
    dagster_url: str = field(repr=False)

    @contextmanager
    def connect(self) -> Iterator[psycopg.Connection]:
        """Open a connection in autocommit mode; group statements with `transaction()`."""
        with psycopg.connect(
            self.url, autocommit=True, application_name="library-pipeline"
        ) as conn:
            yield conn


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
