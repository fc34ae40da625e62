"""One run of the postgres process: its start, its readiness and its end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

from library_pipeline.embedded_server.cluster import SERVER_ENV, Binaries, start_settings
from library_pipeline.embedded_server.files import ServerFiles, socket_file
from library_pipeline.embedded_server.privileges import RunAs
from library_pipeline.embedded_server.processes import end_leftovers

_MAX_LOG_BYTES = 10 * 1024 * 1024
# Fast shutdown disconnects the clients and writes a checkpoint. The next two lose nothing either,
# but the next start has to recover.
_SHUTDOWN = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))


class Postmaster:
    """A running postgres, made by `start`, for a single-threaded process only."""

    def __init__(self, files: ServerFiles, run_as: RunAs, process: subprocess.Popen[bytes]) -> None:
        self._files = files
        self._run_as = run_as
        self._process = process

    @classmethod
    def start(
        cls, files: ServerFiles, binaries: Binaries, run_as: RunAs, socket_dir: Path
    ) -> Postmaster:
        """End the processes that an earlier postgres left behind, and start postgres."""
        end_leftovers(files.cluster_name, run_as.owner)
        # No process uses this directory: the supervisor lock is ours, and the leftovers have ended.
        # A pid file may still name a zombie or another program (every restarted container has a
        # pid 20), and postgres would refuse to start.
        socket = socket_file(socket_dir)
        for stale in (files.data / "postmaster.pid", Path(f"{socket}.lock"), socket):
            stale.unlink(missing_ok=True)
        command = [str(binaries.postgres), "-D", str(files.data)]
        for name, value in start_settings(files, socket_dir).items():
            command += ["-c", f"{name}={value}"]
        with files.server_log.open("ab") as log:
            return cls(files, run_as, run_as.popen(command, SERVER_ENV, log))

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        return self._process.pid

    def ended(self) -> int | None:
        """Return the exit status if postgres has ended, None while it runs."""
        return self._process.poll()

    def ends_within(self, seconds: float) -> bool:
        """Return whether postgres ends in the next `seconds`."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def is_ready(self) -> bool:
        """Return whether it accepts connections, by the file that pg_ctl reads too."""
        try:
            lines = (self._files.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def stop(self) -> None:
        """End postgres and its children: a gentle signal first, stronger ones if it stays."""
        for number, patience in _SHUTDOWN:
            if self._process.poll() is None:
                self._process.send_signal(number)
                if not self.ends_within(patience):
                    continue
            break
        end_leftovers(self._files.cluster_name, self._run_as.owner)


def rotate_log(path: Path) -> None:
    """Keep the log below 10 MB, and one older log, while postgres writes it.

    The log is copied and truncated, not renamed: postgres keeps its descriptor, which appends.
    """
    try:
        if path.stat().st_size < _MAX_LOG_BYTES:
            return
        shutil.copyfile(path, path.with_suffix(".log.1"))
        os.truncate(path, 0)
    except OSError:
        return  # a log that cannot be rotated is no reason to stop the server
