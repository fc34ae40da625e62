"""A local source at one moment: its files, an ETag of them, and entries that are read on demand."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from operator import itemgetter
from typing import Final, NamedTuple

from library_pipeline.catalog.errors import ManifestError
from library_pipeline.settings.source_keys import SourceSettings
from library_pipeline.sources.entry import MAX_TEXT_LENGTH, Entry
from library_pipeline.sources.http.rules import UrlRefused
from library_pipeline.sources.local.files import resolved
from library_pipeline.sources.manifest_page import ManifestPage
from library_pipeline.sources.source import NotModified, Poll
from library_pipeline.sources.text import reason

PAGE_SIZE: Final = 500


@dataclass(frozen=True, slots=True)
class LocalSnapshot:
    """A source at one moment: an ETag that any change alters, and a function that reads it."""

    etag: str
    entries: Callable[[], Iterator[Entry]]


class LocalSource(AbstractContextManager["LocalSource"]):
    """Reads the snapshots that `look` takes; fulfils OpenSource.

    It has no clock but the machine's, so there is no `read_at`.
    """

    def __init__(self, settings: SourceSettings, look: Callable[[], LocalSnapshot]) -> None:
        self._settings = settings
        self._look = look
        self.etag: str | None = None
        self.read_at: datetime | None = None

    def __exit__(self, *_: object) -> None:
        """Do nothing: each file is closed once it is read."""

    def changed(self, etag: str | None) -> Poll:
        """Return whether it differs from its state at `etag`; opens no file."""
        found = self._look().etag
        return Poll(found == etag, found)

    def pages(
        self, etag: str | None = None, updated_since: datetime | None = None
    ) -> Iterator[ManifestPage]:
        """Yield the listing, always whole; raises NotModified first, or ManifestError."""
        snapshot = self._look()
        if snapshot.etag == etag:
            raise NotModified
        # Taken before any file is read, so that the next poll notices a change meanwhile.
        self.etag = snapshot.etag
        yield from in_pages(snapshot.entries(), self._settings)


def in_pages(entries: Iterable[Entry], settings: SourceSettings) -> Iterator[ManifestPage]:
    """Yield entries in pages of `page_size`; raises ManifestError beyond `max_items`."""
    remaining = iter(entries)
    read = 0
    while page := tuple(islice(remaining, settings.page_size or PAGE_SIZE)):
        read += len(page)
        if read > settings.max_items:
            raise too_many(settings)
        yield ManifestPage(page, next=None)


def too_many(settings: SourceSettings) -> ManifestError:
    """Return the error of a source with more entries than it may have."""
    return ManifestError(
        "manifest.too_many",
        f"source {settings.name} lists more than {settings.max_items:,} items; "
        "raise its max_items if that is meant",
    )


def as_text(path: str) -> str:
    """Return a path as text that can be stored: valid UTF-8, and not too long."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return text if len(text) <= MAX_TEXT_LENGTH else "..." + text[3 - MAX_TEXT_LENGTH :]


def as_time(nanoseconds: int) -> datetime | None:
    """Return a file's time in UTC, None for one beyond the years 1 to 9999."""
    try:
        return datetime.fromtimestamp(nanoseconds / 1e9, UTC)
    except (ValueError, OverflowError, OSError):
        return None


class FileStamp(NamedTuple):
    """Facts that change with the file: size in bytes, modification and status time, inode."""

    size: int
    modified_ns: int
    changed_ns: int
    inode: int


@dataclass(slots=True)
class Tree:
    """The files below a folder by path, and those that could not be looked at, with the reason.

    Paths have slashes, and surrogate escapes for bytes that are no UTF-8.
    """

    files: dict[str, FileStamp] = field(default_factory=dict[str, FileStamp])
    unreadable: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def etag(self) -> str:
        """A hash that changes when a file is added, edited, renamed or removed."""
        digest = hashlib.sha256()
        for path, what in sorted(
            [*self.files.items(), *self.unreadable.items()], key=itemgetter(0)
        ):
            digest.update(os.fsencode(path) + f"\0{what}\n".encode())
        return digest.hexdigest()[:32]


def walk(folder: str, suffixes: frozenset[str], settings: SourceSettings) -> Tree:
    """Return the files below `folder`, a path without links, whose names end in a suffix.

    A look costs one `stat` a file. It leaves out hidden files, links out of the folder, and links
    to folders. Raises ManifestError if the folder itself cannot be read or if there are more files
    than `max_items`.
    """
    tree = Tree()
    folders = [""]
    while folders:
        parent = folders.pop()
        try:
            entries = _scan(os.path.join(folder, parent))  # noqa: PTH118 - ten times as fast
        except OSError as error:
            if not parent:
                raise unreadable_folder(folder, error, settings) from None
            tree.unreadable[parent] = reason(error)
            continue
        for entry in entries:
            path = f"{parent}/{entry.name}" if parent else entry.name
            try:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(path)
                elif suffix_of(entry.name) in suffixes and (found := _file(entry, folder)):
                    tree.files[path] = found
            except OSError as error:
                tree.unreadable[path] = reason(error)
        if len(tree.files) > settings.max_items:
            raise too_many(settings)
    return tree


def suffix_of(path: str) -> str:
    """Return the ending of a file's name in lower case, like `.png`."""
    return os.path.splitext(path)[1].lower()  # noqa: PTH122


def _scan(folder: str) -> list[os.DirEntry[str]]:
    """Return the entries of a folder that are not hidden; raises OSError."""
    with os.scandir(folder) as entries:
        return [entry for entry in entries if not entry.name.startswith(".")]


def unreadable_folder(folder: str, error: OSError, settings: SourceSettings) -> ManifestError:
    """Return the error of an unreadable folder. Its mount may be gone, so nothing is removed."""
    return ManifestError(
        "manifest.no_folder",
        f"source {settings.name}: the folder {folder} cannot be read ({reason(error)}); "
        "does `path` name it, is it mounted, and may this user read it?",
        transient=True,
    )


def file_stamp(status: os.stat_result) -> FileStamp:
    """Return a file's stamp."""
    return FileStamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _file(entry: os.DirEntry[str], folder: str) -> FileStamp | None:
    """Return the stamp of a regular file, also behind a link inside the folder; else None."""
    try:
        if entry.is_symlink():
            resolved(entry.path, folder)
        status = entry.stat()
    except UrlRefused:
        return None
    except FileNotFoundError:
        if entry.is_symlink():
            return None
        raise  # it was here a moment ago, and may have another name by now
    return file_stamp(status) if stat.S_ISREG(status.st_mode) else None
