"""File locks that the kernel releases when their holder ends, even by kill -9 (flock(2))."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path

from library_pipeline.embedded_server.files import EmbeddedServerError

_RETRY_SECONDS = 0.01


def open_lock_file(path: Path) -> int:
    """Open or create `path`; return its descriptor, which child programs do not inherit."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise EmbeddedServerError(
            f"cannot open {path}: {error.strerror}; the server's folder must be writable"
        ) from error


def try_lock(descriptor: int, *, exclusive: bool) -> bool:
    """Lock without waiting; return whether it worked."""
    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            raise EmbeddedServerError(
                f"the file system of the server's folder has no file locks ({error.strerror}); "
                "choose a home on a local disk, or set LIBRARY_DATABASE_URL"
            ) from error
        raise
    return True


def lock(path: Path, *, exclusive: bool, deadline: float) -> int | None:
    """Lock `path` before `deadline` (time.monotonic); return its descriptor, or None if late."""
    descriptor = open_lock_file(path)
    try:
        while not try_lock(descriptor, exclusive=exclusive):
            if time.monotonic() >= deadline:
                os.close(descriptor)
                return None
            time.sleep(_RETRY_SECONDS)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def is_held(path: Path) -> bool:
    """Return whether a process holds `path` exclusively.

    The check takes a shared lock for microseconds, so an exclusive lock needs retries.
    """
    if not path.exists():
        return False
    descriptor = open_lock_file(path)
    try:
        return not try_lock(descriptor, exclusive=False)
    finally:
        os.close(descriptor)


def unlock(descriptor: int) -> None:
    """Release the lock but keep the descriptor."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
