"""Numbered SQL files, applied in order, each once, whole or not at all.

The ledger is `pipeline.migration`. An applied file is never edited, because its effect on existing
databases cannot be undone: a change is a new file with the next number.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psycopg
from psycopg import Connection
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from library_pipeline.catalog.errors import LibraryError

_LOCK_KEY = 0x6C69_6272_6172_79  # "library", the same for every program and version
_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
# A plpgsql body has `begin` without a semicolon. It has `end;` too, so that is not looked for.
_OWN_TRANSACTION = re.compile(
    r"^(begin|start\s+transaction|commit|rollback|abort)(\s+(work|transaction))?\s*;",
    re.IGNORECASE | re.MULTILINE,
)
_LEDGER = """
    create schema if not exists pipeline;
    create table if not exists pipeline.migration (
        number     integer primary key,
        name       text not null,
        sha256     text not null,
        applied_at timestamptz not null default now()
    );
"""


class MigrationError(LibraryError):
    """The database and the migrations do not fit together; the message names the way out."""

    def __init__(self, message: str) -> None:
        super().__init__("database.migration", message)


class BadMigrationError(MigrationError):
    """A migration file, or the folder of them, is not as it must be."""


class ChangedMigrationError(MigrationError):
    """An applied file has changed since, or is gone."""


class NewerDatabaseError(MigrationError):
    """The database has migrations that this version of the program does not know."""


class FailedMigrationError(MigrationError):
    """PostgreSQL refused a migration; nothing of it was kept."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file `NNNN_name.sql`."""

    number: int
    path: Path
    sql: bytes

    @property
    def name(self) -> str:
        """The file's name without `.sql`, as it stands in the ledger."""
        return self.path.stem

    @property
    def sha256(self) -> str:
        """The checksum over the file with `\\n` line ends, however git checked it out."""
        return hashlib.sha256(self.sql.replace(b"\r\n", b"\n")).hexdigest()


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One row of the ledger."""

    number: int
    name: str
    sha256: str


def migrate(database: str | Connection, folder: Path) -> list[str]:
    """Apply the pending migrations of `folder`, oldest first, and return their names.

    `database` is a conninfo or a connection outside of a transaction. Programs that migrate at
    the same time wait for each other. Raises MigrationError; the migrations before it stay.
    """
    migrations = read_folder(folder)
    with _connection(database) as connection:
        connection.execute("select pg_advisory_lock(%s)", [_LOCK_KEY])
        try:
            connection.execute(_LEDGER)
            due = _due(migrations, _ledger(connection), folder)
            for migration in due:
                _apply(connection, migration)
        finally:
            if not connection.broken:
                connection.execute("select pg_advisory_unlock(%s)", [_LOCK_KEY])
    return [migration.name for migration in due]


def pending(database: str | Connection, folder: Path) -> list[str]:
    """Return the names of the migrations that `migrate` would apply; raises MigrationError."""
    migrations = read_folder(folder)
    with _connection(database) as connection:
        due = _due(migrations, _ledger(connection), folder)
    return [migration.name for migration in due]


def read_folder(folder: Path) -> list[Migration]:
    """Return the migrations of `folder` by their numbers; raises BadMigrationError."""
    if not folder.is_dir():
        raise BadMigrationError(f"{folder} is not a folder of migrations; reinstall the program")
    migrations = [_read_file(path) for path in sorted(folder.glob("*.sql"))]
    for one, other in pairwise(migrations):
        if one.number == other.number:
            raise BadMigrationError(
                f"{one.path.name} and {other.path.name} have the same number; give the newer one "
                f"the number {migrations[-1].number + 1:04d}"
            )
    return migrations


def _read_file(path: Path) -> Migration:
    match = _FILE_NAME.fullmatch(path.name)
    if match is None:
        raise BadMigrationError(
            f"{path.name} is not a migration's name; it must look like 0007_add_tags.sql (four "
            "digits, then lower-case letters, digits and underscores)"
        )
    sql = path.read_bytes()
    own = _OWN_TRANSACTION.search(sql.decode(errors="replace"))
    if own is not None:
        raise BadMigrationError(
            f"{path.name} says {own[0]!r}; a migration runs in one transaction with its ledger "
            "row, take that line out"
        )
    return Migration(int(match[1]), path, sql)


def _due(migrations: list[Migration], ledger: list[LedgerEntry], folder: Path) -> list[Migration]:
    """Return the migrations that the ledger lacks, if its other entries match their files."""
    known = {migration.number: migration for migration in migrations}
    for applied in ledger:
        migration = known.get(applied.number)
        if migration is None:
            raise _unknown(applied, max(known, default=0), folder)
        if migration.sha256 != applied.sha256:
            raise ChangedMigrationError(
                f"{migration.path} has changed since it was applied: expected sha256 "
                f"{applied.sha256}, found {migration.sha256}; restore the file and put the change "
                f"into a new migration, {len(migrations) + 1:04d}_..."
            )
    for expected, migration in enumerate(migrations, start=1):
        if migration.number != expected:
            raise BadMigrationError(
                f"number {expected:04d} is missing before {migration.path.name} in {folder}; "
                "numbers start at 0001 and have no gaps: bring the file back or renumber"
            )
    done = {applied.number for applied in ledger}
    due = [migration for migration in migrations if migration.number not in done]
    for migration in due:
        if migration.number < max(done, default=0):
            raise BadMigrationError(
                f"{migration.path.name} was never applied, but number {max(done):04d} was; give "
                f"it the next number, {len(migrations) + 1:04d}"
            )
    return due


def _unknown(applied: LedgerEntry, newest: int, folder: Path) -> MigrationError:
    if applied.number > newest:
        return NewerDatabaseError(
            f"the database has migration {applied.name}, this program knows up to {newest:04d}; "
            "upgrade library-pipeline, or use the version that wrote this database"
        )
    return ChangedMigrationError(
        f"migration {applied.name} was applied (sha256 {applied.sha256}), but {folder} has no "
        "file of that number; restore it"
    )


def _apply(connection: Connection, migration: Migration) -> None:
    try:
        with connection.transaction():
            connection.execute(migration.sql)  # no parameters: many statements, `%` is itself
            connection.execute(
                "insert into pipeline.migration (number, name, sha256) values (%s, %s, %s)",
                [migration.number, migration.name, migration.sha256],
            )
    except psycopg.Error as error:
        raise FailedMigrationError(
            f"{migration.path}{_line(migration, error)}: {error}; nothing of it was applied"
        ) from error


def _line(migration: Migration, error: psycopg.Error) -> str:
    """Return ` line N` where PostgreSQL says at which character of the file it stopped."""
    position = error.diag.statement_position
    if position is None:
        return ""
    before = migration.sql.decode(errors="replace")[: int(position)]
    return f" line {before.count(chr(10)) + 1}"


def _ledger(connection: Connection) -> list[LedgerEntry]:
    with connection.cursor(row_factory=tuple_row) as cursor:  # the caller's may give dicts
        if cursor.execute("select to_regclass('pipeline.migration')").fetchone() == (None,):
            return []
        cursor.execute("select number, name, sha256 from pipeline.migration order by number")
        return [LedgerEntry(*row) for row in cursor]


@contextmanager
def _connection(database: str | Connection) -> Iterator[Connection]:
    """Yield a connection in autocommit mode: so that each `transaction()` is a real one."""
    if isinstance(database, str):
        with psycopg.connect(database, autocommit=True) as connection:
            yield connection
        return
    if database.info.transaction_status != TransactionStatus.IDLE:
        raise MigrationError("the connection is inside a transaction; commit it before migrating")
    before = database.autocommit
    database.autocommit = True
    try:
        yield database
    finally:
        if not database.broken:
            database.autocommit = before
