"""PostgreSQL for tests: servers whose files are in memory, and databases copied from a template."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from library_pipeline.database.connection import Database
from library_pipeline.database.migrations import migrate
from library_pipeline.embedded_server import EmbeddedServer, stop
from library_pipeline.shipped import shipped

TEMPLATE = "template_library"
_MEMORY = Path("/dev/shm")
_ENOUGH_BYTES = 2 << 30  # a plain container has 64 MB there


def memory_folder() -> Path:
    """Make an empty folder with a short path: in memory where there is room, else on the disk.

    A test creates and drops databases, and starts and stops servers. Each of these syncs files,
    which takes ten times as long on a busy disk.
    """
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH_BYTES
    return Path(tempfile.mkdtemp(prefix="lp-", dir=_MEMORY if roomy else None))


@contextmanager
def running_server(linger_seconds: float = 0) -> Iterator[tuple[Path, EmbeddedServer]]:
    """Run a server of its own, as durable as it ships; yield its home and a hold on it."""
    home = memory_folder()
    try:
        with EmbeddedServer(home, linger_seconds=linger_seconds) as server:
            yield home, server
    finally:
        stop(home)
        shutil.rmtree(home)


@contextmanager
def shared_server(*, durable: bool = False) -> Iterator[EmbeddedServer]:
    """Run a server for many tests, with the migrated database `TEMPLATE` for them to copy.

    Unless `durable`, it does not wait for the disk: a power cut ends the tests anyway.
    """
    with running_server(linger_seconds=0.2) as (_, server):
        with _administration(server) as admin:
            if not durable:
                for setting in ("fsync", "full_page_writes", "synchronous_commit"):
                    admin.execute(f"alter system set {setting} = off")
            admin.execute("alter system set max_wal_size = '256MB'")
            admin.execute("select pg_reload_conf()")
            admin.execute(f"create database {TEMPLATE}")
        migrate(server.url(TEMPLATE), shipped("sql"))
        yield server


@contextmanager
def copied_database(
    server: EmbeddedServer, name: str, template: str = TEMPLATE
) -> Iterator[Database]:
    """Copy `template` to the database `name`; drop it in the end, whoever is still connected."""
    with _administration(server) as admin:
        admin.execute(f"create database {name} template {template}")
        try:
            yield Database(server.url(name), server.dagster_url("dagster"))
        finally:
            admin.execute(f"drop database {name} with (force)")


def _administration(server: EmbeddedServer) -> psycopg.Connection:
    return psycopg.connect(server.url("postgres"), autocommit=True)
