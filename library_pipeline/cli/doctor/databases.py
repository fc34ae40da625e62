"""Checks of the databases of the library and of Dagster, and of Dagster's daemon."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psycopg

from library_pipeline.cli.doctor.examination import Check, gigabytes, one_line
from library_pipeline.database.connection import open_unmigrated
from library_pipeline.database.inspection import (
    brief_connection,
    can_create_pgvector,
    database_size,
    has_dagster_tables,
    pgvector_versions,
    try_to_write,
    unsafe_settings,
    uses_posix_memory,
)
from library_pipeline.database.migrations import MigrationError, pending
from library_pipeline.embedded_server import EmbeddedServerError
from library_pipeline.embedded_server.files import ServerFiles
from library_pipeline.settings import (
    DAGSTER_DATABASE_VARIABLE,
    DATABASE_VARIABLE,
    Settings,
    SettingsError,
)
from library_pipeline.shipped import shipped

_MIN_SERVER = 150000
_MIN_PGVECTOR = (0, 8)
_MIN_SHARED_MEMORY = 1e9
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - looked at, not written to
_open = partial(open_unmigrated, seconds=45.0)
_connect = partial(
    brief_connection,
    connect_seconds=5,
    statement_seconds=8,
    application="library-pipeline doctor",
)


def check_database(settings: Settings) -> Iterator[Check]:
    """Yield the state of the library's database, then of Dagster's."""
    try:
        with _open(settings) as database:
            if settings.database_url is None:
                data = ServerFiles.below(settings.home).data
                found = f"runs, with durable settings, in {data}"
                yield Check("embedded server", "ok", found)
            yield from _check_library(database.url, embedded=settings.database_url is None)
            yield _check_dagster_database(database.dagster_url)
    except EmbeddedServerError as error:
        yield Check("database", "wrong", one_line(error), "docs/embedded-postgres.md has more")
    except SettingsError as error:
        found, _, way_out = error.message.partition("; ")
        yield Check("database", "wrong", found, way_out)


def check_dagster(settings: Settings) -> Iterator[Check]:
    """Yield whether Dagster's daemon runs; without it no refresh starts by itself."""
    try:
        alive = _daemon_is_alive(settings)
    except (psycopg.Error, EmbeddedServerError, SettingsError):
        yield Check("dagster", "skipped", "its database has to be reachable first")
        return
    if alive is None:
        hint = "`library-pipeline dev` runs it with the UI; `refresh` needs neither"
        yield Check("dagster", "ok", "has not run on this library yet", hint)
    elif alive:
        yield Check("dagster", "ok", "a daemon runs, so sensors and schedules work by themselves")
    else:
        hint = "`library-pipeline dev` runs one; `refresh` does without"
        yield Check("dagster", "ok", "no daemon runs: nothing is refreshed by itself", hint)


def _daemon_is_alive(settings: Settings) -> bool | None:
    """Return whether Dagster's daemon sends heartbeats, None if Dagster never ran."""
    from library_pipeline.defs.in_process import open_instance  # noqa: PLC0415
    from library_pipeline.defs.storage import sensors_run  # noqa: PLC0415 - takes seconds

    with _open(settings) as database:
        with _connect(database.dagster_url) as connection:
            if not has_dagster_tables(connection):
                return None
        with open_instance(settings, database) as instance:
            return sensors_run(instance)


def _check_library(url: str, *, embedded: bool) -> Iterator[Check]:
    try:
        with _connect(url) as connection:
            yield judge_server(connection.info.server_version, _address(connection))
            installed, available = pgvector_versions(connection)
            can_create = can_create_pgvector(connection)
            yield judge_pgvector(installed, available, can_create=can_create)
            yield _check_schema(connection)
            found = f"{gigabytes(database_size(connection))} of data"
            yield _check_writable(connection, "writable", found)
            yield from _check_risks(connection, embedded=embedded)
    except psycopg.Error as error:
        yield _unreachable("database", error, DATABASE_VARIABLE)


def _check_dagster_database(url: str) -> Check:
    name = "dagster database"
    try:
        with _connect(url) as connection:
            found = f"{_address(connection)}, {gigabytes(database_size(connection))} of data"
            return _check_writable(connection, name, found)
    except psycopg.Error as error:
        return _unreachable(name, error, DAGSTER_DATABASE_VARIABLE)


def _address(connection: psycopg.Connection) -> str:
    info = connection.info
    return f"database {info.dbname} on {info.host or 'a local socket'} as {info.user}"


def _unreachable(name: str, error: psycopg.Error, variable: str) -> Check:
    way_out = f"is the server running, and {variable} right (user, password, host, database)?"
    # The way out says this better than libpq.
    lines = [line for line in str(error).splitlines() if "Is the server running" not in line]
    found = " ".join(" ".join(lines).split()).removeprefix("connection failed: ")
    return Check(name, "wrong", found[:500] or type(error).__name__, way_out)


def judge_server(version: int, address: str) -> Check:
    """Return whether the server is new enough; libpq writes `version` 18.6 as 180006."""
    found = f"PostgreSQL {version // 10000}.{version % 10000}, {address}"
    if version < _MIN_SERVER:
        return Check("database", "wrong", found, "PostgreSQL 15 or later is needed")
    return Check("database", "ok", found)


def judge_pgvector(installed: str | None, available: str | None, *, can_create: bool) -> Check:
    """Return whether pgvector is new enough, and is in the database or can be created there."""
    version = installed or available
    if version is None:
        way_out = "install it on the server: https://github.com/pgvector/pgvector#installation"
        return Check("pgvector", "wrong", "the server does not have it", way_out)
    found = version if installed else f"{version}, not yet in this database"
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < _MIN_PGVECTOR:
        way_out = "pgvector 0.8 or later is needed; then: alter extension vector update"
        return Check("pgvector", "wrong", found, way_out)
    if not installed and not can_create:
        way_out = "ask a superuser to run: create extension vector"
        return Check("pgvector", "wrong", f"{found}, and this user may not create it", way_out)
    return Check("pgvector", "ok", found)


def _check_schema(connection: psycopg.Connection) -> Check:
    """Return whether the migrations are applied; applies none."""
    try:
        due = pending(connection, shipped("sql"))
    except MigrationError as error:
        way_out = "run the same version of library-pipeline in all programs that use this database"
        return Check("schema", "wrong", one_line(error), way_out)
    if due:
        found = f"{len(due)} migrations are due: {', '.join(due)}"
        return Check("schema", "ok", found, "the next command that needs them applies them")
    return Check("schema", "ok", "migrated")


def _check_writable(connection: psycopg.Connection, name: str, found: str) -> Check:
    """Return `found`, and whether this user can create and fill a table."""
    try:
        try_to_write(connection)
    except psycopg.errors.ReadOnlySqlTransaction:
        way_out = "is it a standby, or default_transaction_read_only? Use the primary server"
        return Check(name, "wrong", f"{found}; it is read-only", way_out)
    except psycopg.errors.InsufficientPrivilege as error:
        way_out = "grant create on database ... to this user; it makes its own schemas"
        return Check(name, "wrong", f"{found}; {one_line(error)}", way_out)
    except psycopg.Error as error:
        return Check(name, "wrong", f"{found}; {one_line(error)}", "see the server's log")
    return Check(name, "ok", f"{found}; a table was made and undone")


def _check_risks(connection: psycopg.Connection, *, embedded: bool) -> Iterator[Check]:
    """Yield a warning for each setting of the server that may lose work or fail later."""
    if unsafe := unsafe_settings(connection):
        found = f"{' and '.join(unsafe)} off: a power cut loses acknowledged work"
        yield Check("durability", "warning", found, "set to on in postgresql.conf")
    on_this_machine = embedded or connection.info.host.startswith(("/", "localhost", "127."))
    if sys.platform == "linux" and on_this_machine and uses_posix_memory(connection):
        there = _SHARED_MEMORY.is_dir()
        yield from judge_shared_memory(shutil.disk_usage(_SHARED_MEMORY).total if there else 0)


def judge_shared_memory(size: int) -> Iterator[Check]:
    """Yield a warning if /dev/shm, of `size` bytes, is too small for parallel index builds."""
    if size < _MIN_SHARED_MEMORY:
        way_out = "give the container more: docker run --shm-size=1g"
        found = f"{_SHARED_MEMORY} has {gigabytes(size)}; building a vector index may need more"
        yield Check("shared memory", "warning", found, way_out)
