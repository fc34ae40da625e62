"""What a server says of itself on one connection, and whether that will do."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg

from library_pipeline.cli.doctor.check import Check, gigabytes, one_line
from library_pipeline.shipped import shipped
from library_pipeline.store.migrate import MigrationError, pending

_OLDEST_SERVER = 150000
_OLDEST_PGVECTOR = (0, 8)
_SMALL_SHM = 1e9
_SHM = Path("/dev/shm")  # noqa: S108 - looked at, not written to
_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")
_UNSAFE = "select name from pg_settings where name = any(%s) and setting = 'off'"


def judge_server(version: int, where: str) -> Check:
    """Return whether the server is new enough; `version` is as libpq has it, 180006 for 18.6."""
    found = f"PostgreSQL {version // 10000}.{version % 10000}, {where}"
    if version < _OLDEST_SERVER:
        return Check("database", "wrong", found, "PostgreSQL 15 or later is needed")
    return Check("database", "ok", found)


def judge_pgvector(installed: str | None, available: str | None, *, can_create: bool) -> Check:
    """Return whether pgvector is in the database or can get there, and new enough."""
    version = installed or available
    if version is None:
        way_out = "install it on the server: https://github.com/pgvector/pgvector#installation"
        return Check("pgvector", "wrong", "the server does not have it", way_out)
    where = "" if installed else ", not yet in this database"
    found = f"{version}{where}"
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < _OLDEST_PGVECTOR:
        way_out = "pgvector 0.8 or later is needed; then: alter extension vector update"
        return Check("pgvector", "wrong", found, way_out)
    if not installed and not can_create:
        way_out = "have a superuser run: create extension vector"
        return Check("pgvector", "wrong", f"{found}, and this user may not create it", way_out)
    return Check("pgvector", "ok", found)


def pgvector(connection: psycopg.Connection) -> tuple[str | None, str | None]:
    """Return the versions of pgvector in the database and on the server, None where it is not."""
    row = connection.execute(
        "select (select extversion from pg_extension where extname = 'vector'),"
        " (select default_version from pg_available_extensions where name = 'vector')"
    ).fetchone()
    return row or (None, None)


def can_create_vector(connection: psycopg.Connection) -> bool:
    """Return whether this user may make the extension, by doing so and undoing it."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute("create extension if not exists vector")
    except psycopg.Error:
        return False
    return True


def schema(connection: psycopg.Connection) -> Check:
    """Return whether the migrations are applied; applies none."""
    folder = shipped("sql")
    try:
        due = pending(connection, folder)
    except MigrationError as error:
        return Check("schema", "wrong", one_line(error), "one program, one version of its files")
    if due:
        found = f"{len(due)} migrations are due: {', '.join(due)}"
        return Check("schema", "ok", found, "the next command that needs them applies them")
    return Check("schema", "ok", "migrated")


def writable(connection: psycopg.Connection, name: str, found: str) -> Check:
    """Return whether a table can be made and filled, in a transaction that is then undone."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute("create schema library_pipeline_doctor")
            connection.execute("create table library_pipeline_doctor.probe as select 1 as one")
    except psycopg.errors.ReadOnlySqlTransaction:
        way_out = "is it a standby, or default_transaction_read_only? Use the primary server"
        return Check(name, "wrong", f"{found}; it is read-only", way_out)
    except psycopg.errors.InsufficientPrivilege as error:
        way_out = "grant create on database ... to this user; it makes its own schemas"
        return Check(name, "wrong", f"{found}; {one_line(error)}", way_out)
    except psycopg.Error as error:
        return Check(name, "wrong", f"{found}; {one_line(error)}", "see the server's log")
    return Check(name, "ok", f"{found}; a table was made and undone")


def cautions(connection: psycopg.Connection, *, ours: bool) -> Iterator[Check]:
    """Yield what may lose work or fail later: settings of the server, and its shared memory."""
    unsafe = [name for (name,) in connection.execute(_UNSAFE, [list(_DURABLE)])]
    if unsafe:
        found = f"{' and '.join(unsafe)} off: a power cut loses what was acknowledged"
        yield Check("durability", "warning", found, "set to on in postgresql.conf")
    kind = connection.execute("show dynamic_shared_memory_type").fetchone()
    here = ours or connection.info.host.startswith(("/", "localhost", "127."))
    if sys.platform == "linux" and here and kind == ("posix",):
        yield from judge_shared_memory(_shm_bytes())


def judge_shared_memory(size: int) -> Iterator[Check]:
    """Yield a warning if /dev/shm is too small for parallel index builds."""
    if size < _SMALL_SHM:
        way_out = "give the container more: docker run --shm-size=1g"
        found = f"{_SHM} has {gigabytes(size)}; building a vector index may need more"
        yield Check("shared memory", "warning", found, way_out)


def _shm_bytes() -> int:
    return shutil.disk_usage(_SHM).total if _SHM.is_dir() else 0
