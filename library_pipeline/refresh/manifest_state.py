"""The state of each source's manifest: when it was read, and with which result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg

from library_pipeline.database.inspection import connect_if_running
from library_pipeline.embedded_server import EmbeddedServerError
from library_pipeline.settings import Settings

# Polling takes at most a tenth of the time, even of a source that has to be read whole.
_REST = 9


@dataclass(frozen=True, slots=True)
class CurrentManifest:
    """A source's current manifest; `unidentified` entries had no usable id.

    `read_at` is the time of reading by the source's clock. `deltas` says that later changes can be
    applied to it: every entry has its time of change, and no entry is missing.
    """

    source: str
    etag: str | None
    unidentified: int
    read_at: datetime | None
    deltas: bool


@dataclass(frozen=True, slots=True)
class ManifestState:
    """The last listing of a source: its size, its time (None if never read), its last error."""

    entries: int
    fetched_at: datetime | None
    error: str | None


def manifest_states(connection: psycopg.Connection) -> dict[str, ManifestState]:
    """Return the state of every source's manifest, by the source's name."""
    rows = connection.execute(
        """select m.name, count(e.component_id), m.fetched_at, m.error from pipeline.manifest m
           left join pipeline.manifest_entry e on e.source = m.name group by m.name"""
    )
    return {name: ManifestState(*state) for name, *state in rows}


def current_manifest(connection: psycopg.Connection, name: str = "cms") -> CurrentManifest | None:
    """Return the current manifest of a source, None before the first."""
    row = connection.execute(
        """select source, etag, unidentified, read_at, deltas from pipeline.manifest
           where name = %s and fetched_at is not null""",
        (name,),
    ).fetchone()
    return CurrentManifest(*row) if row else None


def confirm_manifest(connection: psycopg.Connection, name: str) -> None:
    """Record that the source has just confirmed its current manifest as unchanged."""
    connection.execute(
        "update pipeline.manifest set fetched_at = now(), error = null where name = %s", (name,)
    )


def renew_etag(connection: psycopg.Connection, name: str, etag: str | None, newer: str) -> None:
    """Replace `etag` by an equivalent `newer` one, unless the manifest was read meanwhile."""
    connection.execute(
        "update pipeline.manifest set etag = %s where name = %s and etag = %s", (newer, name, etag)
    )


def record_unreadable(connection: psycopg.Connection, name: str, error: str) -> None:
    """Record why a source's manifest could not be read; its last listing stays current."""
    connection.execute(
        """insert into pipeline.manifest (name, source, error) values (%s, '', %s)
           on conflict (name) do update set error = excluded.error""",
        (name, error),
    )


def confirm_readable(connection: psycopg.Connection, name: str) -> None:
    """Record that a source can be read again."""
    connection.execute(
        "update pipeline.manifest set error = null where name = %s and error is not null", (name,)
    )


def record_poll(connection: psycopg.Connection, name: str, took_seconds: float) -> None:
    """Record that a source was asked for changes just now."""
    connection.execute(
        "update pipeline.manifest set polled_at = now(), took_seconds = %s where name = %s",
        (took_seconds, name),
    )


def poll_rests(connection: psycopg.Connection, name: str) -> bool:
    """Return whether the next poll of a source is not due yet, because the last one took long."""
    row = connection.execute(
        """select now() < polled_at + %s * took_seconds * interval '1 second'
           from pipeline.manifest where name = %s""",
        (_REST, name),
    ).fetchone()
    return bool(row and row[0])


def forget_other_sources(connection: psycopg.Connection, names: Sequence[str]) -> None:
    """Delete the manifests of all sources but the configured ones, `names`."""
    with connection.transaction():
        gone = connection.execute(
            "delete from pipeline.manifest where name <> all(%s) returning name", (list(names),)
        ).fetchall()
        if gone:
            connection.execute(
                "delete from pipeline.manifest_entry where source <> all(%s)", (list(names),)
            )


def recorded_manifests(settings: Settings) -> tuple[dict[str, ManifestState], str]:
    """Return the manifest of each source by its name, and "" or why they are unknown.

    Starts no server.
    """
    try:
        with connect_if_running(settings) as connection:
            if connection is None:
                return {}, "the embedded database does not run at the moment"
            return manifest_states(connection), ""
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
        return {}, "the database has no tables of this version yet; a refresh makes them"
    except (psycopg.Error, EmbeddedServerError):
        return {}, "the database does not answer; `library-pipeline doctor` says more"
