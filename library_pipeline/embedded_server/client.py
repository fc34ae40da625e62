"""The embedded server for programs: they hold it while they need it, and ask it for URLs.

No heavy import and no thread: to hold a running server costs a few file operations.
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
from typing import Self
from urllib.parse import quote

from library_pipeline.embedded_server import locks
from library_pipeline.embedded_server.files import (
    PORT,
    EmbeddedServerError,
    ServerFiles,
    ServerState,
    socket_file,
)
from library_pipeline.embedded_server.processes import is_alive

_POLL_SECONDS = 0.01


class EmbeddedServer:
    """The PostgreSQL server of `home`, shared by all programs on this machine that hold it.

    It runs while a program holds it, and then for the `linger_seconds` of the program that started
    it. A hold ends with `release`, with the `with` block, or with the process, even a killed one.
    """

    def __init__(self, home: Path, *, linger_seconds: float = 2.0) -> None:
        self._home = Path(os.path.realpath(home))
        self._files = ServerFiles.below(home)
        self._linger = linger_seconds
        self._hold: int | None = None
        self._socket_dir: str | None = None

    def acquire(self, timeout: float = 60) -> Self:
        """Hold the server, start it if it does not run, and return once it answers.

        On a server that this object holds already, a further call checks that it still runs. Raises
        EmbeddedServerError, and then keeps an earlier hold.
        """
        deadline = time.monotonic() + timeout
        held_before = self._hold is not None
        if self._hold is None:
            self._files.create_root()
            self._hold = _hold_clients_lock(self._files, deadline)
        try:
            self._socket_dir = self._wait_until_ready(deadline).socket_dir
        except BaseException:
            if not held_before:
                self.release()
            raise
        return self

    def release(self) -> None:
        """End the hold; the server stops by itself when no program holds it."""
        hold, self._hold, self._socket_dir = self._hold, None, None
        if hold is not None:
            os.utime(hold)  # the linger begins now, not at the supervisor's next look
            os.close(hold)  # not LOCK_UN: forked children may still hold this descriptor

    def __enter__(self) -> Self:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def url(self, database: str) -> str:
        """Return the libpq URL of `database`, for psycopg; a restart does not change it."""
        return self._url("postgresql", database)

    def dagster_url(self, database: str) -> str:
        """Return the SQLAlchemy URL of `database` (SQLAlchemy 2.1 would default to psycopg 3)."""
        return self._url("postgresql+psycopg2", database)

    def is_running(self) -> bool:
        """Return whether the server answers now, for this object's hold or another's."""
        return _ready_state(self._files) is not None

    def _url(self, scheme: str, database: str) -> str:
        if self._socket_dir is None:
            raise EmbeddedServerError(f"the server in {self._home} is not held; call acquire first")
        host = quote(self._socket_dir, safe="/")
        # The port names the socket file; without it the caller's PGPORT would.
        return f"{scheme}://postgres@/{quote(database, safe='')}?host={host}&port={PORT}"

    def _wait_until_ready(self, deadline: float) -> ServerState:
        """Return the state of the server when it answers; start it if no supervisor runs."""
        while True:
            state = _ready_state(self._files)
            if state is not None:
                return state
            if not locks.is_held(self._files.supervisor_lock) and self._start(deadline):
                continue
            if time.monotonic() >= deadline:
                last = self._files.read_state()
                raise EmbeddedServerError(
                    f"the server in {self._files.root} is not ready (it is "
                    f"{last.status if last else 'not running'}); see "
                    f"{self._files.supervisor_log}; the end of {self._files.server_log}:\n"
                    f"{self._files.log_tail()}"
                )
            time.sleep(_POLL_SECONDS)

    def _start(self, deadline: float) -> bool:
        """Start a supervisor; return False if another client starts or has started one."""
        descriptor = locks.lock(self._files.start_lock, exclusive=True, deadline=0)
        if descriptor is None:
            return False
        try:
            if locks.is_held(self._files.supervisor_lock):
                return False
            self._files.state.unlink(missing_ok=True)  # left by a killed supervisor
            return _start_supervisor(self._files, self._home, self._linger, deadline)
        finally:
            os.close(descriptor)


def hold(home: Path, pid: int, timeout: float = 60) -> None:
    """Start a detached process that holds the server of `home` until process `pid` ends.

    The caller has to hold the server during this call, so that it runs.
    """
    if not is_alive(pid):
        raise EmbeddedServerError(f"no process {pid} to hold the server in {home} for")
    files = ServerFiles.below(home)
    files.create_root()
    descriptor = _hold_clients_lock(files, time.monotonic() + timeout)
    try:
        # The lock belongs to the open file, which the new process shares, so it is never free.
        _start_detached(
            ["hold", str(pid), str(descriptor)],
            subprocess.DEVNULL,
            subprocess.DEVNULL,
            keep=[descriptor],
        ).wait()
    finally:
        os.close(descriptor)


def stop(home: Path, timeout: float = 90) -> bool:
    """Stop the server of `home` and its supervisor, even while programs use it.

    Returns False if none ran. The request is a file: the recorded pid may belong to another process
    or container by now.
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
            break  # another program has started the next one
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
    os.utime(descriptor)  # shows the supervisor even a short hold
    return descriptor


def _ready_state(files: ServerFiles) -> ServerState | None:
    """Return the state that a living supervisor wrote if it is ready and the server answers."""
    if not locks.is_held(files.supervisor_lock):
        return None
    state = files.read_state()
    if state is None or state.status != "ready":
        return None
    return state if _answers(socket_file(Path(state.socket_dir))) else None


def _answers(path: Path) -> bool:
    """Return whether a server listens on the socket; postgres does not log this connection."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as visitor:
        visitor.settimeout(1.0)
        try:
            visitor.connect(str(path))
        except OSError:
            return False
    return True


_PROGRAM = "library_pipeline.embedded_server"
_MAX_LOG_BYTES = 1024 * 1024


def _start_supervisor(files: ServerFiles, home: Path, linger: float, deadline: float) -> bool:
    """Start a supervisor and wait until it has a server, or `deadline` (time.monotonic).

    Returns False if it ended without a report, because another supervisor runs already. Raises
    EmbeddedServerError with the error that it reports.
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
            f"the database in {files.data} was not ready in time; it may be recovering: try "
            f"again, with more time. The end of {files.server_log}:\n{files.log_tail()}"
        )
    if not line:
        return False
    report: dict[str, object] = json.loads(line)
    if "error" in report:
        raise EmbeddedServerError(str(report["error"]))
    return True


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
    """Read to a newline or the end of the pipe; return None if `deadline` comes first."""
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
