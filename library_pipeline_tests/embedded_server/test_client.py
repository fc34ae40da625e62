"""The embedded server from the outside: starting, sharing, letting go, and clear refusals."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import sqlalchemy

from library_pipeline.embedded_server import EmbeddedServer, EmbeddedServerError, hold, stop
from library_pipeline.embedded_server.files import ServerFiles, make_private_dir
from library_pipeline.embedded_server.locks import is_held
from library_pipeline.embedded_server.postmaster import rotate_log
from library_pipeline.embedded_server.processes import find_processes
from library_pipeline_tests.support.databases import memory_folder, running_server

_SOURCE = Path(__file__).parents[2]
_IS_ROOT = os.geteuid() == 0


def processes_of(home: Path) -> list[psutil.Process]:
    """Everything that works for `home`: supervisor, postmaster, backends."""
    files = ServerFiles.below(home)
    marks = (files.cluster_name, f"supervise {os.path.realpath(home)} ")
    found = []
    for process in psutil.process_iter(["cmdline"]):
        title = " ".join(process.info["cmdline"] or []) + " "
        if any(mark in title for mark in marks):
            found.append(process)
    return found


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder with a short path, whose server is gone after the test, and nothing else left."""
    folder = memory_folder()
    yield folder
    stop(folder)
    assert processes_of(folder) == []
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    """A data directory that is ready to be copied, which is quicker than initdb."""
    folder = memory_folder()
    with EmbeddedServer(folder, linger_seconds=0):
        pass
    stop(folder)
    yield ServerFiles.below(folder).data
    shutil.rmtree(folder)


@pytest.fixture
def used_home(home: Path, template: Path) -> Path:
    """A home whose server has been started before."""
    ServerFiles.below(home).root.mkdir(mode=0o700)
    subprocess.run(["cp", "-a", template, ServerFiles.below(home).data], check=True)
    return home


@pytest.fixture(scope="module")
def shared() -> Iterator[EmbeddedServer]:
    """One server for the tests that leave it as it is."""
    with running_server() as (_, server):
        yield server


def wait_until(true: object, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    assert callable(true)
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def ask(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
        return row and row[0]


def home_of(server: EmbeddedServer) -> Path:
    return Path(str(ask(server.url("library"), "show data_directory"))).parents[1]


def test_both_databases_are_there_for_psycopg_and_for_sqlalchemy(shared: EmbeddedServer) -> None:
    assert ask(shared.url("library"), "select current_database()") == "library"
    engine = sqlalchemy.create_engine(shared.dagster_url("dagster"))
    with engine.connect() as connection:
        assert connection.scalar(sqlalchemy.text("select current_database()")) == "dagster"
    engine.dispose()


def test_taking_hold_of_a_running_server_takes_under_50_ms(shared: EmbeddedServer) -> None:
    other = EmbeddedServer(home_of(shared))
    took = []
    for _ in range(5):
        began = time.perf_counter()
        other.acquire()
        took.append(time.perf_counter() - began)
        other.release()
    assert sorted(took)[2] < 0.05


def test_importing_the_client_imports_no_driver_and_no_dagster() -> None:
    program = (
        "import sys, library_pipeline.embedded_server;"
        "print([name for name in ('psycopg', 'dagster', 'sqlalchemy') if name in sys.modules])"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=_SOURCE, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "[]"


@pytest.mark.skipif(not _IS_ROOT and sys.platform == "darwin", reason="needs root on macOS")
def test_nothing_listens_on_tcp(shared: EmbeddedServer) -> None:
    processes = processes_of(home_of(shared))
    assert len(processes) > 3
    assert [process.net_connections("inet") for process in processes] == [[]] * len(processes)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("jit", "off"),
        ("timezone", "UTC"),
        ("server_encoding", "UTF8"),
        ("unix_socket_permissions", "0700"),
    ],
)
def test_the_server_is_durable_private_and_plain(
    shared: EmbeddedServer, name: str, value: str
) -> None:
    assert ask(shared.url("library"), f"show {name}") == value


def test_lower_case_knows_more_than_ascii(shared: EmbeddedServer) -> None:
    assert ask(shared.url("library"), "select lower('ÄÖÑ')") == "äöñ"


def test_parallel_workers_do_not_depend_on_the_size_of_dev_shm(shared: EmbeddedServer) -> None:
    """Plain Docker has 64 MB there, less than one HNSW build wants."""
    kind = ask(shared.url("library"), "show dynamic_shared_memory_type")
    assert kind == ("sysv" if sys.platform == "linux" else "posix")


@pytest.mark.skipif(not _IS_ROOT or shutil.which("unshare") is None, reason="mounts a /dev/shm")
def test_a_full_dev_shm_stops_neither_initdb_nor_a_parallel_build() -> None:
    program = """
import sys, psycopg
from pathlib import Path
from library_pipeline.embedded_server import EmbeddedServer, stop
home = Path(sys.argv[1])
with EmbeddedServer(home, linger_seconds=0) as server:
    with psycopg.connect(server.url("library")) as connection:
        connection.execute("create extension vector")
        connection.execute("create table v with (parallel_workers = 2) as select "
            "array[n, 1]::vector(2)::halfvec(2) as h from generate_series(1, 5000) as n")
        connection.execute("set maintenance_work_mem = '256MB'")
        connection.execute("create index on v using hnsw (h halfvec_cosine_ops)")
stop(home)
"""
    mount = 'mount -t tmpfs -o size=64k tmpfs /dev/shm && exec "$0" "$@"'
    command = ["unshare", "-m", "sh", "-c", mount, sys.executable, "-c", program]
    target = Path(tempfile.mkdtemp(prefix="lp-"))  # not below the /dev/shm that is covered up
    ran = subprocess.run(
        [*command, str(target)], cwd=_SOURCE, capture_output=True, text=True, check=False
    )
    shutil.rmtree(target)
    if "unshare" in ran.stderr or "mount:" in ran.stderr:
        pytest.skip("may not mount here")
    assert ran.returncode == 0, ran.stderr


def test_the_caller_s_pg_variables_do_not_lead_elsewhere(
    shared: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "5999")
    monkeypatch.setenv("PGHOST", "example.invalid")
    monkeypatch.setenv("PGUSER", "someone")
    assert ask(shared.url("library"), "select current_user") == "postgres"


def test_a_url_names_any_database(shared: EmbeddedServer) -> None:
    with psycopg.connect(shared.url("postgres"), autocommit=True) as connection:
        connection.execute("drop database if exists \"Größe, 'x'\"")
        connection.execute("create database \"Größe, 'x'\"")
    assert ask(shared.url("Größe, 'x'"), "select current_database()") == "Größe, 'x'"


def test_a_url_needs_a_held_server(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedServerError, match="not held; call acquire first"):
        EmbeddedServer(tmp_path).url("library")


def test_the_server_goes_after_the_last_client_and_the_data_stays(used_home: Path) -> None:
    first, second = EmbeddedServer(used_home, linger_seconds=0.3), EmbeddedServer(used_home)
    with first:
        url = first.url("library")
        second.acquire()
        with psycopg.connect(url) as connection:
            connection.execute("create table kept as select 1 as n")
    time.sleep(1.2)
    assert first.is_running()
    second.release()
    wait_until(lambda: processes_of(used_home) == [])
    assert not first.is_running()
    with first:
        assert first.url("library") == url
        assert ask(url, "select n from kept") == 1


def test_programs_that_start_at_once_share_one_server(home: Path) -> None:
    program = (
        "import sys; from pathlib import Path;"
        "from library_pipeline.embedded_server import EmbeddedServer;"
        "server = EmbeddedServer(Path(sys.argv[1])).acquire();"
        "print(server.url('library'), flush=True); sys.stdin.read()"
    )
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(home)],
            cwd=_SOURCE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    urls = {process.stdout.readline().strip() for process in programs if process.stdout}
    supervisors = [each for each in processes_of(home) if "supervise" in each.cmdline()]
    # Not by command line: a backend shows its postmaster's until it has set its own.
    postmasters = [child for each in supervisors for child in each.children()]
    for process in programs:
        process.communicate()
    assert len(urls) == 1
    assert len(supervisors) == 1
    assert len(postmasters) == 1
    log = ServerFiles.below(home).server_log.read_text()
    assert log.count("starting PostgreSQL") == 1


def test_stop_ends_a_server_in_use_and_acquire_brings_it_back(used_home: Path) -> None:
    with EmbeddedServer(used_home) as server:
        before = ask(server.url("library"), "select pg_postmaster_start_time()")
        assert stop(used_home)
        assert processes_of(used_home) == []
        assert not stop(used_home)
        server.acquire()
        assert ask(server.url("library"), "select pg_postmaster_start_time()") != before


def test_hold_keeps_the_server_until_the_process_has_ended(used_home: Path) -> None:
    shell = subprocess.Popen(["sleep", "60"])
    try:
        with EmbeddedServer(used_home, linger_seconds=0) as server:
            hold(used_home, shell.pid)
        time.sleep(1.2)
        assert server.is_running()
    finally:
        shell.kill()
        shell.wait()
    wait_until(lambda: processes_of(used_home) == [])


def test_hold_for_a_process_that_is_not_there_is_refused(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    with pytest.raises(EmbeddedServerError, match=f"no process {ended.pid}"):
        hold(tmp_path, ended.pid)


def test_an_initdb_that_was_killed_half_way_is_done_again(home: Path) -> None:
    half = ServerFiles.below(home).new_data
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with EmbeddedServer(home, linger_seconds=0) as server:
        assert ask(server.url("library"), "select 1") == 1
    assert not half.exists()


def test_unsafe_settings_are_refused_by_file_and_name(used_home: Path) -> None:
    """fsync by hand, synchronous_commit by ALTER SYSTEM, and again for one database."""
    data = ServerFiles.below(used_home).data
    server = EmbeddedServer(used_home, linger_seconds=0)
    with server, psycopg.connect(server.url("library"), autocommit=True) as connection:
        connection.execute("alter system set fsync = off")
        connection.execute("alter database dagster set synchronous_commit = off")
    stop(used_home)
    with (data / "postgresql.conf").open("a") as conf:
        conf.write("full_page_writes = off\n")
    with pytest.raises(EmbeddedServerError) as caught:
        server.acquire()
    said = str(caught.value)
    assert f"fsync is off in {data}/postgresql.auto.conf line 3" in said
    assert f"full_page_writes is off in {data}/postgresql.conf line" in said
    assert "synchronous_commit is off for database dagster (ALTER DATABASE" in said
    wait_until(lambda: processes_of(used_home) == [])
    with pytest.raises(EmbeddedServerError, match="not held"):
        server.url("library")


def test_data_of_another_version_is_refused_with_both_versions(home: Path) -> None:
    data = ServerFiles.below(home).data
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedServerError, match=r"made by PostgreSQL 17, .* are 18; pip install"):
        EmbeddedServer(home).acquire()


def test_a_postgres_that_cannot_start_is_explained_by_its_log(used_home: Path) -> None:
    server = EmbeddedServer(used_home, linger_seconds=0)
    with (ServerFiles.below(used_home).data / "postgresql.conf").open("a") as conf:
        conf.write("shared_buffers = lots\n")
    with pytest.raises(EmbeddedServerError, match="invalid value for parameter"):
        server.acquire()


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        EmbeddedServerError, match=r"cannot create .*file/postgres: Not a directory"
    ):
        EmbeddedServer(tmp_path / "file").acquire()


@pytest.mark.skipif(not _IS_ROOT, reason="only root can give folders away")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    os.chown(tmp_path / "postgres", 12345, 12345)
    with pytest.raises(EmbeddedServerError, match="belongs to uid 12345, this program runs as"):
        EmbeddedServer(tmp_path).acquire()


def test_a_long_or_odd_path_gets_its_socket_in_tmp(home: Path) -> None:
    odd = home / "ünïcode, with 'quotes' and spaces" / ("long" * 20)
    with EmbeddedServer(odd, linger_seconds=0) as server:
        assert ask(server.url("library"), "show data_directory") == str(odd / "postgres" / "data")
        folder = ServerFiles.below(odd).socket_dir()
        assert f"host={folder}&" in server.url("library")
        assert len(str(folder)) < 88
        assert folder.stat().st_mode & 0o007 == 0
    stop(odd)
    assert processes_of(odd) == []
    shutil.rmtree(folder)


def test_a_socket_folder_that_someone_else_has_made_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    with pytest.raises(EmbeddedServerError, match="is not a folder of uid"):
        make_private_dir(link)
    if _IS_ROOT:
        other = tmp_path / "other"
        other.mkdir()
        os.chown(other, 12345, 12345)
        with pytest.raises(EmbeddedServerError, match="owner: uid 12345"):
            make_private_dir(other)


def test_a_log_that_grows_is_cut_and_its_predecessor_kept(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_bytes(b"x" * (11 * 1024 * 1024))
    rotate_log(log)
    assert log.stat().st_size == 0
    assert (tmp_path / "server.log.1").stat().st_size == 11 * 1024 * 1024


def test_a_lock_that_nobody_holds_is_not_held(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "none")
    assert find_processes("no-such-cluster", os.geteuid()) == []
