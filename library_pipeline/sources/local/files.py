"""Files on this machine: which `file:` URLs a source may list, and the bytes of these files."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote_to_bytes

from library_pipeline.sources.http.rules import AllowedOrigins, UrlRefused
from library_pipeline.sources.inline import NEVER_IN_A_FILE_URL
from library_pipeline.sources.text import shorten

# A path has at most 4,096 bytes on Linux, and percent-encoding makes three of one.
MAX_URL_LENGTH: Final = 3 * 4096 + len("file://")
# The files there look regular, but they tell about this process and its machine.
_KERNEL: Final = (PurePosixPath("/proc"), PurePosixPath("/sys"))
# Opens a folder to pass through it, which needs no permission to list it.
_THROUGH: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class TooLarge(Exception):
    """The file is longer than its limit."""


class LocalFiles:
    """The rule for files below one folder, with links resolved, and at the origins of `http`."""

    def __init__(self, folder: Path, http: AllowedOrigins | None = None) -> None:
        self._folder = os.path.realpath(folder)
        self._http = http

    def check(self, url: str) -> None:
        """Raise UrlRefused unless a file may be at `url`; the file need not exist."""
        scheme, colon, _ = url.partition(":")
        scheme = scheme.lower() if colon else ""
        if scheme == "file":
            resolved(path_in(url), self._folder)
        elif scheme not in ("http", "https"):
            code = "bad_scheme" if scheme else "relative_url"
            raise UrlRefused(code, "a file of this source is at a file:, http: or https: URL")
        elif self._http is None:
            raise UrlRefused(
                "foreign_origin", "no host is listed for this source; list it in allowed_hosts"
            )
        else:
            self._http.check(url)


def read_local(url: str, folder: Path, limit: int) -> bytes:
    """Return the file at a `file:` URL, of at most `limit` bytes.

    It checks everything again, as links may have changed since the file was listed. Raises
    UrlRefused (with the code `foreign_path` for a file outside `folder`), FileNotFoundError,
    another OSError if the file is unreadable or no regular one, TooLarge.
    """
    with open_below(path_in(url), os.path.realpath(folder)) as file:
        if os.fstat(file.fileno()).st_size > limit:
            raise TooLarge
        data = file.read(limit + 1)
    if len(data) > limit:
        raise TooLarge
    return data


def path_in(url: str) -> str:
    """Return the absolute path in a `file:` URL; raises UrlRefused."""
    if len(url) > MAX_URL_LENGTH:
        raise UrlRefused("bad_url", f"the URL is longer than {MAX_URL_LENGTH:,} characters")
    if NEVER_IN_A_FILE_URL.search(url):
        raise UrlRefused("bad_url", "the URL holds a backslash or control character; write / in it")
    if url[:5].lower() != "file:":
        raise UrlRefused("bad_scheme", "this is not a file: URL")
    if not url[5:].startswith("///") or url[5:].startswith("////"):
        raise UrlRefused("bad_url", "a file: URL begins with file:/// and names no host")
    if "?" in url or "#" in url:
        raise UrlRefused("bad_url", "a file: URL has no query or fragment; write %3F, %23 in it")
    encoded = url[len("file://") :]
    path = unquote_to_bytes(encoded)
    if b"\0" in path or "%2f" in encoded.lower():
        raise UrlRefused("bad_url", "the URL holds an encoded NUL or slash")
    return os.fsdecode(path)


def resolved(path: str, folder: str) -> str:
    """Return `path` with links resolved; raises UrlRefused unless that is below `folder`.

    `folder` has no links in it. The path need not exist.
    """
    real = os.path.realpath(path)
    if not _below(real, folder):
        where = "" if os.path.normpath(path) == real else f", where {shorten(path)} leads,"
        message = f"{shorten(real)}{where} is not below the source's folder, {folder}"
        raise UrlRefused("foreign_path", message)
    return real


def open_below(path: str, folder: str) -> BufferedReader:
    """Open a regular file for reading; raises UrlRefused unless it really is below `folder`.

    After links are resolved, the path is opened step by step without following links, so that a
    link that is added meanwhile cannot lead out. Raises OSError, also for folders, pipes and
    devices, without waiting for them.
    """
    real = resolved(path, folder)
    *parents, name = PurePosixPath(real).relative_to(folder).parts
    directory = os.open(folder, _THROUGH)
    try:
        for parent in parents:
            inner = os.open(parent, _THROUGH | os.O_NOFOLLOW, dir_fd=directory)
            os.close(directory)
            directory = inner
        descriptor = os.open(name, _READ, dir_fd=directory)
    finally:
        os.close(directory)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "this is not a regular file", real)
    return os.fdopen(descriptor, "rb")


def _below(real: str, folder: str) -> bool:
    path = PurePosixPath(real)
    if any(path.is_relative_to(kernel) for kernel in _KERNEL):
        return False
    return path != PurePosixPath(folder) and path.is_relative_to(folder)
