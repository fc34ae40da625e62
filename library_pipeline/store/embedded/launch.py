"""Starting the detached processes from any program, threads or not."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from library_pipeline.store.embedded.errors import EmbeddedServerError
from library_pipeline.store.embedded.files import ServerFiles

_MODULE = "library_pipeline.store.embedded"
_MAX_LOG_BYTES = 1024 * 1024


def start_supervisor(files: ServerFiles, home: Path, linger: float, deadline: float) -> bool:
    """Start a supervisor and wait until it has a server, or `deadline` (time.monotonic).

    Returns False if it ended without a word: another supervisor was there first. Raises
    EmbeddedServerError with what it reports.
    """
    if files.supervisor_log.exists() and files.supervisor_log.stat().st_size > _MAX_LOG_BYTES:
        files.supervisor_log.replace(files.supervisor_log.with_suffix(".log.1"))
    with files.supervisor_log.open("ab") as log:
        process = _start(["supervise", str(home), str(linger)], subprocess.PIPE, log.fileno())
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
    _start(words, subprocess.DEVNULL, subprocess.DEVNULL, keep=[lock_descriptor]).wait()


def _start(
    words: Sequence[str], stdout: int, stderr: int, keep: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start this package's `__main__` in its own session, away from the caller's folder."""
    source = str(Path(__file__).parents[3])
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("PG")}
    path = os.pathsep.join(filter(None, [source, inherited.get("PYTHONPATH")]))
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-P", "-m", _MODULE, *words],
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
