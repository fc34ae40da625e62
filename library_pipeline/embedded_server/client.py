"""How programs use the embedded server: hold it while needed, ask it for URLs.

No heavy import and no thread: taking hold of a server that runs costs a few file operations.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from library_pipeline.embedded_server import locks
from library_pipeline.embedded_server.files import PORT, EmbeddedServerError, ServerFiles, State
from library_pipeline.embedded_server.processes import is_alive

_POLL_SECONDS = 0.01


class EmbeddedServer:
    """The PostgreSQL server of `home`, shared by all programs on this machine that hold it.

    It runs while anyone holds it and for `linger_seconds` (the starter's) longer. The hold ends
    with `release`, with the end of the `with` block, or with the process, however it ends.
    """

    def __init__(self, home: Path, *, linger_seconds: float = 2.0) -> None:
        self._home = Path(os.path.realpath(home))
        self._files = ServerFiles.below(home)
        self._linger = linger_seconds
        self._hold: int | None = None
        self._socket_dir: str | None = None

    def acquire(self, timeout: float = 60) -> Self:
        """Hold the server, started if need be, and return it once it answers.

        May be called again on a server that is held already: it then makes sure that it still
        runs. Raises EmbeddedServerError; a hold that was there before is kept.
        """
        deadline = time.monotonic() + timeout
        held_before = self._hold is not None
        if self._hold is None:
            self._files.create_root()
            self._hold = _hold_clients_lock(self._files, deadline)
        try:
            self._socket_dir = self._make_sure(deadline).socket_dir
        except BaseException:
            if not held_before:
                self.release()
            raise
        return self

    def release(self) -> None:
        """Let go of the server; it stops by itself once nobody holds it."""
        hold, self._hold, self._socket_dir = self._hold, None, None
        if hold is not None:
            os.utime(hold)  # lets the linger begin now, not at the supervisor's next look
            os.close(hold)  # not LOCK_UN: forked children may still hold this descriptor

    def __enter__(self) -> Self:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def url(self, database: str) -> str:
        """Return the libpq URL of `database`, for psycopg; the same one after every restart."""
        return self._url("postgresql", database)

    def dagster_url(self, database: str) -> str:
        """Return the SQLAlchemy URL of `database` (SQLAlchemy 2.1 would default to psycopg 3)."""
        return self._url("postgresql+psycopg2", database)

    def is_running(self) -> bool:
        """Return whether the server answers now, held by this object or not."""
        return _ready_state(self._files) is not None

    def _url(self, scheme: str, database: str) -> str:
        if self._socket_dir is None:
            raise EmbeddedServerError(f"the server in {self._home} is not held; call acquire first")
        host = quote(self._socket_dir, safe="/")
        # The port names the socket file; without it the caller's PGPORT would.
        return f"{scheme}://postgres@/{quote(database, safe='')}?host={host}&port={PORT}"

    def _make_sure(self, deadline: float) -> State:
        """Return the state of a server that answers, once there is one."""
        while True:
            state = _ready_state(self._files)
            if state is not None:
                return state
            if not locks.is_held(self._files.supervisor_lock) and self._start(deadline):
                continue
            if time.monotonic() >= deadline:
                said = self._files.read_state()
                raise EmbeddedServerError(
                    f"the server in {self._files.root} is not ready (it is "
                    f"{said.status if said else 'not running'}); see "
                    f"{self._files.supervisor_log}; the end of {self._files.server_log}:\n"
                    f"{self._files.log_tail()}"
                )
            time.sleep(_POLL_SECONDS)

    def _start(self, deadline: float) -> bool:
        """Start a supervisor; False if another client is at it, or has just been."""
        descriptor = locks.lock(self._files.start_lock, exclusive=True, deadline=0)
        if descriptor is None:
            return False
        try:
            if locks.is_held(self._files.supervisor_lock):
                return False
            self._files.state.unlink(missing_ok=True)  # what a killed supervisor said last
            return start_supervisor(self._files, self._home, self._linger, deadline)
        finally:
            os.close(descriptor)


def hold(home: Path, pid: int, timeout: float = 60) -> None:
    """Hold the server of `home` until process `pid` has ended, from a detached process.

    The caller should itself hold the server meanwhile, so that there is one.
    """
    if not is_alive(pid):
        raise EmbeddedServerError(f"no process {pid} to hold the server in {home} for")
    files = ServerFiles.below(home)
    files.create_root()
    descriptor = _hold_clients_lock(files, time.monotonic() + timeout)
    try:
        # The lock belongs to the open file, which the new process shares: no gap between us.
        start_holder(pid, descriptor)
    finally:
        os.close(descriptor)


def stop(home: Path, timeout: float = 90) -> bool:
    """Stop the server of `home` and its supervisor now, whoever uses it; False if none ran.

    Asks through a file: a pid could be another process's by now, or another container's.
    """
    files = ServerFiles.below(home)
    if not locks.is_held(files.supervisor_lock):
        return False
    before = files.read_state()
    files.stop_request.touch(mode=0o600)
    deadline = time.monotonic() + timeout
    while locks.is_held(files.supervisor_lock):
        now = files.read_state()
        if before and now and now.supervisor_pid != before.supervisor_pid:
            break  # someone has started the next one already
        if time.monotonic() >= deadline:
            raise EmbeddedServerError(
                f"the server in {files.root} did not stop within {timeout:g} s; see "
                f"{files.supervisor_log}"
            )
        time.sleep(_POLL_SECONDS)
    return True


def _hold_clients_lock(files: ServerFiles, deadline: float) -> int:
    descriptor = locks.lock(files.clients_lock, exclusive=False, deadline=deadline)
    if descriptor is None:
        raise EmbeddedServerError(
            f"the server in {files.root} is still shutting down; see {files.supervisor_log}"
        )
    os.utime(descriptor)  # tells the supervisor that someone was here, however short
    return descriptor


def _ready_state(files: ServerFiles) -> State | None:
    """Return the supervisor's word if it lives, calls the server ready, and the server answers."""
    if not locks.is_held(files.supervisor_lock):
        return None
    state = files.read_state()
    if state is None or state.status != "ready":
        return None
    return state if _answers(Path(state.socket_dir) / f".s.PGSQL.{PORT}") else None


def _answers(path: Path) -> bool:
    """Return whether something listens on the socket (postgres logs no such short visit)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as visitor:
        visitor.settimeout(1.0)
        try:
            visitor.connect(str(path))
        except OSError:
            return False
    return True


_PROGRAM = "library_pipeline.embedded_server"
_MAX_LOG_BYTES = 1024 * 1024


def start_supervisor(files: ServerFiles, home: Path, linger: float, deadline: float) -> bool:
    """Start a supervisor and wait until it has a server, or `deadline` (time.monotonic).

    Returns False if it ended without a word: another supervisor was there first. Raises
    EmbeddedServerError with what it reports.
    """
    if files.supervisor_log.exists() and files.supervisor_log.stat().st_size > _MAX_LOG_BYTES:
        files.supervisor_log.replace(files.supervisor_log.with_suffix(".log.1"))
    with files.supervisor_log.open("ab") as log:
        process = _start_detached(
            ["supervise", str(home), str(linger)], subprocess.PIPE, log.fileno()
        )
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    with process.stdout as pipe:
        process.wait()
        line = _read_line(pipe.fileno(), deadline)
    if line is None:
        raise EmbeddedServerError(
            f"the database in {files.data} did not get ready in time; it may be recovering: try "
            f"again, with more time. The end of {files.server_log}:\n{files.log_tail()}"
        )
    if not line:
        return False
    report: dict[str, object] = json.loads(line)
    if "error" in report:
        raise EmbeddedServerError(str(report["error"]))
    return True


def start_holder(pid: int, lock_descriptor: int) -> None:
    """Start a process that keeps `lock_descriptor` open until process `pid` ends."""
    words = ["hold", str(pid), str(lock_descriptor)]
    _start_detached(words, subprocess.DEVNULL, subprocess.DEVNULL, keep=[lock_descriptor]).wait()


def _start_detached(
    words: Sequence[str], stdout: int, stderr: int, keep: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start this package's `__main__` in its own session, away from the caller's folder."""
    source = str(Path(__file__).parents[2])
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("PG")}
    path = os.pathsep.join(filter(None, [source, inherited.get("PYTHONPATH")]))
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-P", "-m", _PROGRAM, *words],
        cwd="/",
        env={**inherited, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        pass_fds=keep,
    )


def _read_line(descriptor: int, deadline: float) -> bytes | None:
    """Return what comes until a newline or the end of the pipe; None if `deadline` comes first."""
    received = b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while not received.endswith(b"\n"):
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return None
            part = os.read(descriptor, 65536)
            if not part:
                break
            received += part
    return received
