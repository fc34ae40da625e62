"""`kill -9` of whatever can be killed: nothing acknowledged is lost, nothing is left over."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from library_pipeline.embedded_server import EmbeddedServer, stop
from library_pipeline.embedded_server.files import ServerFiles
from library_pipeline.embedded_server.locks import is_held
from library_pipeline_tests.support.databases import memory_folder
from library_pipeline_tests.support.embedded_processes import kill_postgres, state_of

_SOURCE = Path(__file__).parents[2]
_needs_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux ends a child with its parent"
)


@pytest.fixture
def home() -> Iterator[Path]:
    folder = memory_folder()
    yield folder
    stop(folder)
    assert _titles(folder) == []
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    """A data directory with one row, ready to be copied, which is quicker than initdb."""
    folder = memory_folder()
    with (
        EmbeddedServer(folder, linger_seconds=0) as server,
        psycopg.connect(server.url("library")) as connection,
    ):
        connection.execute("create table kept (n integer primary key)")
        connection.execute("insert into kept values (1)")
    stop(folder)
    yield ServerFiles.below(folder).data
    shutil.rmtree(folder)


@pytest.fixture
def server(home: Path, template: Path) -> Iterator[EmbeddedServer]:
    ServerFiles.below(home).root.mkdir(mode=0o700)
    subprocess.run(["cp", "-a", template, ServerFiles.below(home).data], check=True)
    with EmbeddedServer(home, linger_seconds=0.3) as held:
        yield held


def _titles(home: Path) -> list[str]:
    files = ServerFiles.below(home)
    marks = (files.cluster_name, f"supervise {os.path.realpath(home)} ")
    titles = []
    for process in psutil.process_iter(["cmdline"]):
        title = " ".join(process.info["cmdline"] or []) + " "
        if any(mark in title for mark in marks):
            titles.append(title)
    return titles


def _kill_supervisor(home: Path) -> None:
    """Return when it is dead, which is some time after the signal was sent."""
    os.kill(state_of(home).supervisor_pid, signal.SIGKILL)
    _wait_until(lambda: not is_held(ServerFiles.below(home).supervisor_lock))


def _count(url: str) -> int | None:
    """Return how many rows are kept, or None while there is no server."""
    try:
        with psycopg.connect(url) as connection:
            row = connection.execute("select count(*) from kept").fetchone()
            return row[0] if row else None
    except psycopg.OperationalError:
        return None


def _wait_until(true: Callable[[], bool], seconds: float = 15) -> float:
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, "it did not happen in time"
        time.sleep(0.05)
    return time.monotonic() - began


def test_a_killed_postgres_comes_back_with_its_data_under_the_same_url(
    home: Path, server: EmbeddedServer
) -> None:
    url = server.url("library")
    kill_postgres(home)
    _wait_until(lambda: not server.is_running())
    assert _wait_until(lambda: _count(url) == 1) >= 0.5, "a crash loop would burn the machine"
    assert server.acquire().url("library") == url


def test_a_killed_postgres_comes_back_while_an_orphan_still_computes(
    home: Path, server: EmbeddedServer
) -> None:
    """A backend that is busy outlives its postmaster, and keeps the shared memory."""
    url = server.url("library")

    def compute() -> None:
        with suppress(psycopg.OperationalError), psycopg.connect(url) as connection:
            connection.execute("select count(*) from generate_series(1, 2000000000)")

    worker = threading.Thread(target=compute)
    worker.start()
    time.sleep(0.3)
    kill_postgres(home)
    _wait_until(lambda: not server.is_running())
    _wait_until(lambda: _count(url) == 1)
    worker.join(10)
    assert not worker.is_alive()


def test_no_acknowledged_row_is_lost_when_postgres_is_killed_while_writing(
    home: Path, server: EmbeddedServer
) -> None:
    acknowledged = {1}
    for _ in range(2):
        killer = threading.Timer(0.2, kill_postgres, [home])
        killer.start()
        with (
            suppress(psycopg.OperationalError),
            psycopg.connect(server.url("library"), autocommit=True) as connection,
        ):
            while True:
                number = len(acknowledged) + 1
                connection.execute("insert into kept values (%s) on conflict do nothing", [number])
                acknowledged.add(number)
        killer.join()
        _wait_until(lambda: not server.is_running())
        server.acquire()
    with psycopg.connect(server.url("library")) as connection:
        kept = {row[0] for row in connection.execute("select n from kept").fetchall()}
    assert len(acknowledged) > 10
    assert acknowledged <= kept


@_needs_linux
def test_a_killed_supervisor_leaves_no_orphan_and_the_next_acquire_works(
    home: Path, server: EmbeddedServer
) -> None:
    _kill_supervisor(home)
    _wait_until(lambda: _titles(home) == [])
    assert not server.is_running()
    server.acquire()
    assert _count(server.url("library")) == 1


def test_acquire_right_after_the_supervisor_was_killed_waits_for_the_old_server_to_go(
    home: Path, server: EmbeddedServer
) -> None:
    before = state_of(home)
    _kill_supervisor(home)
    server.acquire()
    assert state_of(home).postgres_pid != before.postgres_pid
    assert _count(server.url("library")) == 1


def test_kill_of_supervisor_and_postgres_is_cleaned_up_by_the_next_acquire(
    home: Path, server: EmbeddedServer
) -> None:
    _kill_supervisor(home)
    with suppress(ProcessLookupError):
        kill_postgres(home)
    server.acquire()
    assert _count(server.url("library")) == 1


def test_a_pid_file_that_names_another_program_by_now_does_not_matter(
    home: Path, server: EmbeddedServer
) -> None:
    """Containers number their processes alike after every restart."""
    stop(home)
    data = ServerFiles.below(home).data
    with subprocess.Popen(["sleep", "60"]) as other:
        (data / "postmaster.pid").write_text(f"{other.pid}\n{data}\n1\n5432\n\n\n\nready\n")
        lock = ServerFiles.below(home).socket_dir() / ".s.PGSQL.5432.lock"
        lock.write_text(f"{other.pid}\n{data}\n1\n5432\n\n")
        server.acquire()
        assert _count(server.url("library")) == 1
        assert other.poll() is None, "a program that has nothing to do with it was ended"
        other.kill()


def test_the_server_goes_when_its_only_program_was_killed(home: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path;"
        "from library_pipeline.embedded_server import EmbeddedServer;"
        "EmbeddedServer(Path(sys.argv[1]), linger_seconds=0.3).acquire();"
        "print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", program, str(home)]
    with subprocess.Popen(command, cwd=_SOURCE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert _titles(home) != []
        process.kill()
    _wait_until(lambda: _titles(home) == [])


def test_a_program_killed_while_the_server_starts_leaves_nothing(home: Path) -> None:
    program = (
        "import sys; from pathlib import Path;"
        "from library_pipeline.embedded_server import EmbeddedServer;"
        "EmbeddedServer(Path(sys.argv[1]), linger_seconds=0.3).acquire()"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(home)], cwd=_SOURCE) as process:
        _wait_until(ServerFiles.below(home).new_data.exists)
        process.kill()
    _wait_until(lambda: _titles(home) == [])
    with EmbeddedServer(home, linger_seconds=0) as server:
        assert server.is_running()
