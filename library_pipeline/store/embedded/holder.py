"""Waiting for a process that is not a child."""

from __future__ import annotations

import os
import select
import time

_POLL_SECONDS = 0.5


def wait_for_end(pid: int) -> None:
    """Return when process `pid` has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    except (AttributeError, OSError):  # macOS, or a kernel before 5.3
        _poll(pid)
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
    except PermissionError:
        return True
    return True


def _poll(pid: int) -> None:
    while is_alive(pid):
        time.sleep(_POLL_SECONDS)
