"""The one process per data directory that is postgres's parent, for as long as anyone needs it.

Clients hold `clients.lock` shared. Whenever the supervisor gets it exclusively, nobody is there;
after `linger` seconds of that it ends postgres, still holding the lock, and itself. It is
single-threaded on purpose: PR_SET_PDEATHSIG and preexec_fn both depend on it.
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
    State,
    Status,
    make_private_dir,
)
from library_pipeline.embedded_server.postmaster import Postmaster, rotate_log
from library_pipeline.embedded_server.privileges import RunAs

_POLL_SECONDS = 0.25
_STARTING_POLL_SECONDS = 0.01
_LOCK_SECONDS = 5.0
_FIRST_BACKOFF_SECONDS = 1.0
_LONGEST_BACKOFF_SECONDS = 30.0
_STABLE_SECONDS = 60.0

_log = logging.getLogger("library_pipeline.embedded")


@dataclass(frozen=True, slots=True)
class Installation:
    """What every start of postgres needs and nothing changes."""

    files: ServerFiles
    binaries: Binaries
    run_as: RunAs
    socket_dir: Path


def supervise(files: ServerFiles, linger: float, report: Callable[[str], None]) -> None:
    """Run postgres until nobody needs it.

    `report` gets, once, a JSON object: `{"ready": true}` or `{"error": text}`. Nothing at all is
    reported if another supervisor is there already.
    """
    deadline = time.monotonic() + _LOCK_SECONDS
    if locks.lock(files.supervisor_lock, exclusive=True, deadline=deadline) is None:
        return
    supervisor: Supervisor | None = None
    try:
        files.stop_request.unlink(missing_ok=True)
        supervisor = Supervisor(install(files), linger, report)
        supervisor.run()
    except Exception as error:  # whatever it is, the client that waits must hear of it
        _log.error("event=failed error=%r", str(error))
        report(json.dumps({"error": str(error)}))
    finally:
        if supervisor is not None:
            supervisor.end()
        files.state.unlink(missing_ok=True)


def install(files: ServerFiles) -> Installation:
    """Return a data directory that postgres can be started on, made if need be."""
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
    """As root, let in the group that only our servers have; else leave the folder at 0700."""
    if os.geteuid() == 0:
        with suppress(OSError):  # a sandbox without that group; privileges.choose finds its way
            os.chown(folder, 0, privileges.SERVER_GID)
            folder.chmod(mode)


class Supervisor:
    """The loop: start, restart, notice that nobody is there, stop."""

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
        """Keep postgres running; return when it was asked to stop or nobody needs it any more."""
        self._say("starting")
        while not self._must_stop():
            self._advance()
            rotate_log(self._at.files.server_log)
            waiting = self._postmaster is not None and self._ready_since is None
            self._wakeups.wait(_STARTING_POLL_SECONDS if waiting else _POLL_SECONDS)

    def end(self) -> None:
        """Stop postgres, if it runs."""
        if self._postmaster is not None:
            self._say("stopping")
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
                return  # it crashed again under our questions: one more restart
            raise
        self._ready_since = time.monotonic()
        self._say("ready")
        _log.info("event=ready postgres_pid=%s", postmaster.pid)
        if not self._was_ready:
            self._was_ready = True
            self._report(json.dumps({"ready": True}))

    def _postmaster_ended(self, status: int) -> None:
        """Plan a restart after a growing pause; give up only if this server never once answered."""
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
        self._backoff = min(_LONGEST_BACKOFF_SECONDS, self._backoff * 2)
        self._say("restarting")

    def _must_stop(self) -> bool:
        if self._wakeups.stop_asked or self._at.files.stop_request.exists():
            return True
        if not locks.try_lock(self._clients, exclusive=True):
            self._last_seen = time.monotonic()
            return False
        # Someone may have come and gone between two looks; taking the lock touches the file.
        absent = min(
            time.monotonic() - self._last_seen,
            max(0.0, time.time() - os.fstat(self._clients).st_mtime),
        )
        if absent >= self._linger:
            return True  # and keep the lock: who comes now waits, then starts another supervisor
        locks.unlock(self._clients)
        return False

    def _say(self, status: Status) -> None:
        self._at.files.write_state(
            State(
                status=status,
                socket_dir=str(self._at.socket_dir),
                supervisor_pid=os.getpid(),
                postgres_pid=None if self._postmaster is None else self._postmaster.pid,
            )
        )


class _Wakeups:
    """Sleep that a child's end or a request to stop cuts short."""

    def __init__(self) -> None:
        self.stop_asked = False
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # the default would not wake anything
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
