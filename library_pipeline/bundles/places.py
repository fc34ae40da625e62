"""The places of a bundle store: a local folder, or any file system that fsspec knows."""

from __future__ import annotations

import itertools
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from upath import UPath

DAY_SECONDS = 24 * 3600.0


class Place(Protocol):
    """Named files. Names are relative, with `/`; a file appears whole or not at all."""

    local: bool

    def size(self, name: str) -> int | None:
        """Return the file's size in bytes, None if there is no such file."""
        ...

    def read(self, name: str) -> bytes:
        """Return the file's bytes; raises FileNotFoundError."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Create or replace the file."""
        ...

    def delete(self, name: str) -> None:
        """Remove the file, if there is one."""
        ...

    def names(self) -> Iterator[tuple[str, int]]:
        """Yield the name and size of each file, foreign ones included."""
        ...

    def sweep(self, older_than_seconds: float) -> int:
        """Remove unfinished files that are older than that; return their number."""
        ...

    def location(self, name: str) -> str:
        """Return the file's path or URL."""
        ...


class LocalFolder:
    """Files under a local folder; each is written to `incoming/` and then renamed into place.

    A file in `incoming/` is named `<process id>-<random text of the store>-<number>`.
    """

    local = True

    def __init__(self, root: Path) -> None:
        self._root = str(root.absolute())
        self._aside = f"{self._root}/incoming"
        # Containers that share the folder may have processes with the same ids.
        self._mark = secrets.token_hex(6)
        self._numbers = itertools.count()
        Path(self._aside).mkdir(parents=True, exist_ok=True)
        self.sweep(DAY_SECONDS)

    def size(self, name: str) -> int | None:
        """Return the file's size in bytes, None if there is no such file."""
        try:
            return os.stat(f"{self._root}/{name}").st_size  # noqa: PTH116 - a hot path
        except FileNotFoundError:
            return None

    def read(self, name: str) -> bytes:
        """Return the file's bytes; raises FileNotFoundError."""
        return Path(self._root, name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        """Create or replace the file in one step."""
        aside = f"{self._aside}/{os.getpid()}-{self._mark}-{next(self._numbers)}"
        target = f"{self._root}/{name}"
        try:
            _write_new(aside, data)
            try:
                os.replace(aside, target)  # noqa: PTH105 - a hot path
            except FileNotFoundError:
                _make_folder(Path(target).parent)
                os.replace(aside, target)  # noqa: PTH105
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise

    def delete(self, name: str) -> None:
        """Remove the file, if there is one; its folder stays, as a writer may need it just now."""
        Path(self._root, name).unlink(missing_ok=True)

    def names(self) -> Iterator[tuple[str, int]]:
        """Yield the name and size of each file two folders deep."""
        for outer in _folders(self._root):
            for inner in _folders(outer.path):
                for name, size in _files(inner.path):
                    yield f"{outer.name}/{inner.name}/{name}", size

    def sweep(self, older_than_seconds: float) -> int:
        """Remove the files of killed processes in `incoming/`; return their number."""
        oldest = time.time() - older_than_seconds
        removed = 0
        for left in Path(self._aside).iterdir():
            try:
                if left.stat().st_mtime < oldest:
                    left.unlink()
                    removed += 1
            except OSError:  # another process sweeps as well, or has just finished the file
                continue
        return removed

    def location(self, name: str) -> str:
        """Return the file's path."""
        return f"{self._root}/{name}"


def _write_new(path: str, data: bytes) -> None:
    # Python's own file object makes three more system calls before it writes.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    finally:
        os.close(descriptor)


_BINARY: int = getattr(os, "O_BINARY", 0)  # Windows only


def _make_folder(path: Path) -> None:
    # A new folder is most of the cost of a new file, so try with one call first.
    try:
        path.mkdir()
    except FileExistsError:
        pass
    except FileNotFoundError:
        path.mkdir(parents=True, exist_ok=True)


def _folders(path: str) -> list[os.DirEntry[str]]:
    with os.scandir(path) as entries:
        return [entry for entry in entries if entry.is_dir(follow_symlinks=False)]


def _files(path: str) -> Iterator[tuple[str, int]]:
    with os.scandir(path) as entries:
        for entry in entries:
            try:
                if entry.is_file(follow_symlinks=False):
                    yield entry.name, entry.stat(follow_symlinks=False).st_size
            except FileNotFoundError:  # deleted since it was listed
                continue


class RemoteFolder:
    """Files under an fsspec URL; an object store shows an object only when it is whole."""

    local = False

    def __init__(self, root: UPath) -> None:
        self._root = root

    def size(self, name: str) -> int | None:
        """Return the file's size in bytes, None if there is no such file."""
        try:
            return int(self._root.joinpath(name).stat().st_size)
        except FileNotFoundError:
            return None

    def read(self, name: str) -> bytes:
        """Return the file's bytes; raises FileNotFoundError."""
        return self._root.joinpath(name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        """Create or replace the file."""
        path = self._root.joinpath(name)
        path.fs.makedirs(path.parent.path, exist_ok=True)
        path.fs.pipe_file(path.path, data)

    def delete(self, name: str) -> None:
        """Remove the file, if there is one."""
        path = self._root.joinpath(name)
        with suppress(FileNotFoundError):
            path.fs.rm_file(path.path)

    def names(self) -> Iterator[tuple[str, int]]:
        """Yield the name and size of each file; takes about two requests per first folder."""
        fs: Any = self._root.fs
        root = self._root.path.rstrip("/")
        for folder in _listed(fs, root):
            if folder["type"] != "directory":
                continue
            path = folder["name"].rstrip("/")
            found: dict[str, dict[str, Any]] = fs.find(path, detail=True)
            for file, details in found.items():
                yield "/".join(file.split("/")[-3:]), int(details["size"] or 0)
            fs.invalidate_cache(path)  # the cached listing would grow with the store

    def sweep(self, older_than_seconds: float) -> int:
        """Do nothing: an interrupted write leaves no file."""
        return 0

    def location(self, name: str) -> str:
        """Return the file's URL."""
        return str(self._root.joinpath(name))


def _listed(fs: Any, path: str) -> list[dict[str, Any]]:
    fs.invalidate_cache(path)
    try:
        return fs.ls(path, detail=True)
    except FileNotFoundError:
        return []


def place_at(root: str | os.PathLike[str] | UPath) -> Place:
    """Return the place at a path, a `file://` URL or another fsspec URL."""
    path = UPath(root)
    if path.protocol in {"", "file", "local"}:
        return LocalFolder(Path(path.path))
    return RemoteFolder(path)
