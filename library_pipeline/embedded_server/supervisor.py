"""The parent process of postgres: one for each data directory, while a client needs the server.

Each client holds `clients.lock` shared. When the supervisor gets it exclusively, there is no
client; after `linger` seconds without one it ends postgres, still holding the lock, and then
itself. PR_SET_PDEATHSIG and preexec_fn both require that it has a single thread.
"""

from __future__ import annotations

import json
import logging
import os
import selectors
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from library_pipeline.embedded_server import locks, privileges
from library_pipeline.embedded_server.cluster import (
    Binaries,
    check_durability,
    ensure_databases,
    find_binaries,
    prepare_data,
)
from library_pipeline.embedded_server.files import (
    EmbeddedServerError,
    ServerFiles,
    ServerState,
    Status,
    make_private_dir,
)
from library_pipeline.embedded_server.postmaster import Postmaster, rotate_log
from library_pipeline.embedded_server.privileges import RunAs

_POLL_SECONDS = 0.25
_STARTING_POLL_SECONDS = 0.01
_LOCK_SECONDS = 5.0
_FIRST_BACKOFF_SECONDS = 1.0
_MAX_BACKOFF_SECONDS = 30.0
_STABLE_SECONDS = 60.0

_log = logging.getLogger("library_pipeline.embedded")


@dataclass(frozen=True, slots=True)
class Installation:
    """What every start of postgres needs; it stays the same."""

    files: ServerFiles
    binaries: Binaries
    run_as: RunAs
    socket_dir: Path


def supervise(files: ServerFiles, linger: float, report: Callable[[str], None]) -> None:
    """Run postgres until no client needs it.

    `report` gets one JSON object, `{"ready": true}` or `{"error": text}`, but none if another
    supervisor runs already.
    """
    deadline = time.monotonic() + _LOCK_SECONDS
    if locks.lock(files.supervisor_lock, exclusive=True, deadline=deadline) is None:
        return
    supervisor: Supervisor | None = None
    try:
        files.stop_request.unlink(missing_ok=True)
        supervisor = Supervisor(install(files), linger, report)
        supervisor.run()
    except Exception as error:  # the client that waits must hear of every error
        _log.error("event=failed error=%r", str(error))
        report(json.dumps({"error": str(error)}))
    finally:
        if supervisor is not None:
            supervisor.end()
        files.state.unlink(missing_ok=True)


def install(files: ServerFiles) -> Installation:
    """Prepare everything that a start of postgres needs; make the data directory if needed."""
    found = find_binaries()
    _open_to_server(files.root, 0o710)
    run_as = privileges.choose(found.postgres, found.must_read, files.root, files.data)
    prepare_data(files, found, run_as)
    socket_dir = files.socket_dir()
    make_private_dir(socket_dir)
    _open_to_server(socket_dir, 0o770)
    _log.info("event=installed run_as=%s socket_dir=%s", run_as.description, socket_dir)
    return Installation(files, found, run_as, socket_dir)


def _open_to_server(folder: Path, mode: int) -> None:
    """As root, open the folder to the group that only our servers have; else keep it at 0700."""
    if os.geteuid() == 0:
        with suppress(OSError):  # a sandbox has no such group; privileges.choose finds a way
            os.chown(folder, 0, privileges.SERVER_GID)
            folder.chmod(mode)


class Supervisor:
    """The loop that starts and restarts postgres, and stops it when no client is left."""

    def __init__(
        self, installation: Installation, linger: float, report: Callable[[str], None]
    ) -> None:
        self._at = installation
        self._linger = linger
        self._report = report
        self._clients = locks.open_lock_file(installation.files.clients_lock)
        self._postmaster: Postmaster | None = None
        self._ready_since: float | None = None
        self._was_ready = False
        self._backoff = _FIRST_BACKOFF_SECONDS
        self._start_at = 0.0
        self._last_seen = time.monotonic()
        self._wakeups = _Wakeups()

    def run(self) -> None:
        """Keep postgres running; return on a request to stop, or when no client needs it."""
        self._write_state("starting")
        while not self._must_stop():
            self._advance()
            rotate_log(self._at.files.server_log)
            waiting = self._postmaster is not None and self._ready_since is None
            self._wakeups.wait(_STARTING_POLL_SECONDS if waiting else _POLL_SECONDS)

    def end(self) -> None:
        """Stop postgres, if it runs."""
        if self._postmaster is not None:
            self._write_state("stopping")
            self._postmaster.stop()
            _log.info("event=stopped")

    def _advance(self) -> None:
        """Take postgres one step further: not running -> started -> ready, or back."""
        if self._postmaster is None:
            if time.monotonic() >= self._start_at:
                self._postmaster = Postmaster.start(
                    self._at.files, self._at.binaries, self._at.run_as, self._at.socket_dir
                )
        elif (status := self._postmaster.ended()) is not None:
            self._postmaster_ended(status)
        elif self._ready_since is None and self._postmaster.is_ready():
            self._postmaster_is_ready(self._postmaster)

    def _postmaster_is_ready(self, postmaster: Postmaster) -> None:
        try:
            ensure_databases(self._at.binaries, self._at.socket_dir)
            check_durability(self._at.binaries, self._at.socket_dir)
        except EmbeddedServerError:
            if self._was_ready and postmaster.ends_within(1.0):
                return  # it crashed during the checks: one more restart
            raise
        self._ready_since = time.monotonic()
        self._write_state("ready")
        _log.info("event=ready postgres_pid=%s", postmaster.pid)
        if not self._was_ready:
            self._was_ready = True
            self._report(json.dumps({"ready": True}))

    def _postmaster_ended(self, status: int) -> None:
        """Plan a restart after a growing pause; raise if this server was never ready."""
        self._postmaster = None
        if not self._was_ready:
            raise EmbeddedServerError(
                f"postgres ended with status {status} at its start; the end of "
                f"{self._at.files.server_log}:\n{self._at.files.log_tail()}"
            )
        now = time.monotonic()
        if self._ready_since is not None and now - self._ready_since >= _STABLE_SECONDS:
            self._backoff = _FIRST_BACKOFF_SECONDS
        self._ready_since = None
        self._start_at = now + self._backoff
        _log.warning("event=postgres_ended status=%s restart_in=%ss", status, self._backoff)
        self._backoff = min(_MAX_BACKOFF_SECONDS, self._backoff * 2)
        self._write_state("restarting")

    def _must_stop(self) -> bool:
        if self._wakeups.stop_asked or self._at.files.stop_request.exists():
            return True
        if not locks.try_lock(self._clients, exclusive=True):
            self._last_seen = time.monotonic()
            return False
        # A client may have come and gone between two looks; its lock touched the file.
        absent = min(
            time.monotonic() - self._last_seen,
            max(0.0, time.time() - os.fstat(self._clients).st_mtime),
        )
        if absent >= self._linger:
            return (
                True  # keep the lock: a client that comes now waits, then starts a new supervisor
            )
        locks.unlock(self._clients)
        return False

    def _write_state(self, status: Status) -> None:
        self._at.files.write_state(
            ServerState(
                status=status,
                socket_dir=str(self._at.socket_dir),
                supervisor_pid=os.getpid(),
                postgres_pid=None if self._postmaster is None else self._postmaster.pid,
            )
        )


class _Wakeups:
    """A sleep that ends early when a child ends or a signal asks to stop."""

    def __init__(self) -> None:
        self.stop_asked = False
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # the default would not wake the sleep
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask_to_stop)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._reader, selectors.EVENT_READ)

    def wait(self, seconds: float) -> None:
        if self._selector.select(seconds):
            with suppress(BlockingIOError):
                os.read(self._reader, 4096)

    def _ask_to_stop(self, *_: object) -> None:
        self.stop_asked = True
