"""Processes that are not children: waiting for one to end, and ending those left behind."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_POLL_SECONDS = 0.5


def wait_for_end(pid: int) -> None:
    """Wait until process `pid` ends."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    except (AttributeError, OSError):  # macOS, or a kernel before 5.3
        while is_alive(pid):
            time.sleep(_POLL_SECONDS)
        return
    try:
        select.select([descriptor], [], [])
    finally:
        os.close(descriptor)


def is_alive(pid: int) -> bool:
    """Return whether a process `pid` exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it exists, as another user's
        pass
    return True


_ESCALATION = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))


def end_leftovers(cluster_name: str, owner: int) -> None:
    """End every process of server `cluster_name` that uid `owner` runs.

    Only the holder of the supervisor lock may call it, while its own server does not run.
    """
    for number, patience in _ESCALATION:
        deadline = time.monotonic() + patience
        for pid in find_processes(cluster_name, owner):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        while find_processes(cluster_name, owner):
            if time.monotonic() >= deadline:
                break
            time.sleep(0.05)
        else:
            return


def find_processes(cluster_name: str, owner: int) -> list[int]:
    """Return the pids of the postmaster and the backends whose title has `cluster_name`."""
    marks = (f"postgres: {cluster_name}", f"-c cluster_name={cluster_name} ")
    return [
        pid
        for pid, uid, title in _all_processes()
        if uid == owner and any(mark in title for mark in marks)
    ]


def _all_processes() -> Iterator[tuple[int, int, str]]:
    """Yield pid, uid and command line of every process.

    It reads command lines and not /proc/<pid>/cwd: in a container without CAP_SYS_PTRACE, root may
    not read the latter of another uid.
    """
    proc = Path("/proc")
    if not (proc / "self" / "cmdline").exists():
        yield from _processes_from_ps()
        return
    for entry in proc.iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            title = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            status = (entry / "status").read_text(errors="replace")
        except OSError:
            continue  # the process has ended
        uid = re.search(r"^Uid:\s*(\d+)", status, re.MULTILINE)
        if uid is not None:
            yield int(entry.name), int(uid[1]), title


def _processes_from_ps() -> Iterator[tuple[int, int, str]]:
    listing = subprocess.run(
        ["/bin/ps", "-axo", "pid=,uid=,command="], check=True, capture_output=True, text=True
    ).stdout
    for line in listing.splitlines():
        pid, uid, title = line.split(maxsplit=2)
        yield int(pid), int(uid), title
