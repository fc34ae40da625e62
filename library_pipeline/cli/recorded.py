"""What the database says of the sources' manifests, without starting or migrating it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import psycopg

from library_pipeline.cli.brief_connection import brief_connection
from library_pipeline.settings import Settings
from library_pipeline.store.embedded import EmbeddedServer, EmbeddedServerError
from library_pipeline.store.manifest_state import ManifestState, manifest_states

_CONNECT_SECONDS: Final = 3
_connected = partial(
    brief_connection,
    connect_seconds=_CONNECT_SECONDS,
    statement_seconds=5,
    who="library-pipeline",
)


def recorded_manifests(settings: Settings) -> tuple[dict[str, ManifestState], str]:
    """Return the sources' manifests, or why they cannot be known without starting anything."""
    try:
        with _running(settings) as connection:
            if connection is None:
                return {}, "the embedded database does not run at the moment"
            return manifest_states(connection), ""
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
        return {}, "the database has no tables of this version yet; a refresh makes them"
    except (psycopg.Error, EmbeddedServerError):
        return {}, "the database does not answer; `library-pipeline doctor` says more"


@contextmanager
def _running(settings: Settings) -> Iterator[psycopg.Connection | None]:
    """Yield a connection to the database as it is, None where the embedded server does not run."""
    if settings.database_url is not None:
        with _connected(settings.database_url.get_secret_value()) as connection:
            yield connection
        return
    server = EmbeddedServer(settings.home)
    if not server.is_running():
        yield None
        return
    with server.acquire(_CONNECT_SECONDS), _connected(server.url("library")) as connection:
        yield connection
