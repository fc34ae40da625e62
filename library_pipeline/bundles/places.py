"""Where a bundle store keeps its files: a local folder, or any file system fsspec knows."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path
from typing import Protocol

from upath import UPath

_DAY_SECONDS = 24 * 3600.0


class Place(Protocol):
    """Named files. A name is relative, with `/`; a file appears whole or not at all."""

    local: bool

    def size(self, name: str) -> int | None:
        """Return the file's size in bytes, None where there is no such file."""
        ...

    def read(self, name: str) -> bytes:
        """Return the file's bytes; raises FileNotFoundError."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Create or replace the file."""
        ...

    def location(self, name: str) -> str:
        """Return the file's path or URL."""
        ...


class LocalFolder:
    """Files under a local folder, written aside and then renamed into place."""

    local = True

    def __init__(self, root: Path) -> None:
        self._root = str(root.absolute())
        self._aside = f"{self._root}/incoming"
        self._numbers = itertools.count()
        Path(self._aside).mkdir(parents=True, exist_ok=True)
        self._sweep()

    def size(self, name: str) -> int | None:
        """Return the file's size in bytes, None where there is no such file."""
        try:
            return os.stat(f"{self._root}/{name}").st_size  # noqa: PTH116 - a hot path
        except FileNotFoundError:
            return None

    def read(self, name: str) -> bytes:
        """Return the file's bytes; raises FileNotFoundError."""
        return Path(self._root, name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        """Create or replace the file; nobody ever sees half of it."""
        aside = f"{self._aside}/{os.getpid()}-{id(self):x}-{next(self._numbers)}"
        target = f"{self._root}/{name}"
        try:
            Path(aside).write_bytes(data)
            try:
                os.replace(aside, target)  # noqa: PTH105 - a hot path
            except FileNotFoundError:
                _make_folder(Path(target).parent)
                os.replace(aside, target)  # noqa: PTH105
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise

    def location(self, name: str) -> str:
        """Return the file's path."""
        return f"{self._root}/{name}"

    def _sweep(self) -> None:
        """Remove what processes that were killed left behind a day ago or earlier."""
        oldest = time.time() - _DAY_SECONDS
        for left in Path(self._aside).iterdir():
            try:
                if left.stat().st_mtime < oldest:
                    left.unlink()
            except OSError:  # another process sweeps, too
                continue


def _make_folder(path: Path) -> None:
    # A new folder is most of the cost of a new file, so no call is made in vain.
    try:
        path.mkdir()
    except FileExistsError:
        pass
    except FileNotFoundError:
        path.mkdir(parents=True, exist_ok=True)


class RemoteFolder:
    """Files under an fsspec URL; object stores make a whole object visible at once."""

    local = False

    def __init__(self, root: UPath) -> None:
        self._root = root

    def size(self, name: str) -> int | None:
        """Return the file's size in bytes, None where there is no such file."""
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

    def location(self, name: str) -> str:
        """Return the file's URL."""
        return str(self._root.joinpath(name))


def place_at(root: str | os.PathLike[str] | UPath) -> Place:
    """Return the place that a path, `file://` URL or other fsspec URL names."""
    path = UPath(root)
    if path.protocol in {"", "file", "local"}:
        return LocalFolder(Path(path.path))
    return RemoteFolder(path)
