"""The databases the program needs, and the settings that make a commit survive a power cut."""

from __future__ import annotations

import subprocess
from pathlib import Path

from library_pipeline.store.embedded.binaries import SERVER_ENV, Binaries
from library_pipeline.store.embedded.errors import EmbeddedServerError
from library_pipeline.store.embedded.files import PORT

DATABASES = ("library", "dagster")
_UNSAFE = """
    select current_database(), name, source, coalesce(sourcefile, ''), coalesce(sourceline, 0)
    from pg_settings
    where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off'
"""


def ensure_databases(binaries: Binaries, socket_dir: Path) -> None:
    """Create the databases `library` and `dagster` unless they are there."""
    there = set(_psql(binaries, socket_dir, "postgres", "select datname from pg_database"))
    missing = [f"create database {name}" for name in DATABASES if name not in there]
    if missing:
        _psql(binaries, socket_dir, "postgres", *missing)


def check(binaries: Binaries, socket_dir: Path) -> None:
    """Raise EmbeddedServerError if the server may lose what it has acknowledged."""
    questions = [_UNSAFE]
    for name in DATABASES[1:]:
        questions += [f"\\connect {name}", _UNSAFE]
    rows = _psql(binaries, socket_dir, DATABASES[0], *questions)
    problems = list(dict.fromkeys(_describe(row) for row in rows))
    if problems:
        raise EmbeddedServerError(
            f"the database would lose acknowledged work in a power cut: {'; '.join(problems)}; "
            "take the setting out, or set it to on, and start again"
        )


def _describe(row: str) -> str:
    database, name, source, file, line = row.split("\t")
    if file:
        return f"{name} is off in {file} line {line}"
    if source in ("database", "user", "database user"):
        return f"{name} is off for database {database} (ALTER {source.split()[0].upper()} ... SET)"
    return f"{name} is off ({source})"


def _psql(binaries: Binaries, socket_dir: Path, database: str, *commands: str) -> list[str]:
    """Run `commands` and return their rows, tab-separated.

    psql and not psycopg: the supervisor stays a small process that imports only the stdlib.
    """
    command = [
        *(str(binaries.psql), "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1"),
        *("-h", str(socket_dir), "-p", str(PORT), "-U", "postgres", "-d", database),
        *(word for text in commands for word in ("-c", text)),
    ]
    try:
        ran = subprocess.run(  # noqa: S603
            command, check=False, capture_output=True, text=True, env=SERVER_ENV, timeout=120
        )
    except subprocess.TimeoutExpired as error:
        raise EmbeddedServerError(f"psql on database {database}: no answer in 120 s") from error
    if ran.returncode != 0:
        raise EmbeddedServerError(f"psql on database {database}: {ran.stderr.strip()}")
    return ran.stdout.splitlines()
