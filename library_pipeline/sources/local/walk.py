"""The files below a folder that a source may list; a look costs one `stat` a file."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, field

from library_pipeline.settings.sources import SourceSettings
from library_pipeline.sources.local.files import resolved
from library_pipeline.sources.local.listing import reason, too_many
from library_pipeline.sources.manifest import ManifestError
from library_pipeline.sources.origins import UrlRefused


@dataclass(frozen=True, slots=True)
class Stamp:
    """What changes whenever a file does: size, modification and status time, inode."""

    size: int
    modified_ns: int
    changed_ns: int
    inode: int


@dataclass(slots=True)
class Tree:
    """Files, and what could not be looked at with the reason, by path below the folder.

    Paths have slashes, and surrogate escapes where they are no UTF-8.
    """

    files: dict[str, Stamp] = field(default_factory=dict[str, Stamp])
    unreadable: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def etag(self) -> str:
        """What differs whenever a file was added, edited, renamed or removed."""
        digest = hashlib.sha256()
        for path, what in sorted([*self.files.items(), *self.unreadable.items()], key=_path):
            digest.update(os.fsencode(path) + f"\0{what}\n".encode())
        return digest.hexdigest()[:32]


def walk(folder: str, suffixes: frozenset[str], settings: SourceSettings) -> Tree:
    """Return the files below `folder`, which has no links in it, whose names end in a suffix.

    Hidden ones are left out, and so are links that lead out of the folder or to other folders,
    whose files have a path of their own. Raises ManifestError if the folder itself cannot be read
    or if there are more than `max_items`.
    """
    tree = Tree()
    folders = [""]
    while folders:
        parent = folders.pop()
        try:
            entries = scan(os.path.join(folder, parent))  # noqa: PTH118 - ten times as fast
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
    """Return what a file's name ends in, like `.png`."""
    return os.path.splitext(path)[1].lower()  # noqa: PTH122


def scan(folder: str) -> list[os.DirEntry[str]]:
    """Return what a folder holds and does not hide; raises OSError."""
    with os.scandir(folder) as entries:
        return [entry for entry in entries if not entry.name.startswith(".")]


def unreadable_folder(folder: str, error: OSError, settings: SourceSettings) -> ManifestError:
    """Return what to say where nothing may be concluded, as a mount may be gone."""
    return ManifestError(
        "manifest.no_folder",
        f"source {settings.name}: the folder {folder} cannot be read ({reason(error)}); "
        "does `path` name it, is it mounted, and may this user read it?",
        transient=True,
    )


def stamp_of(status: os.stat_result) -> Stamp:
    """Return a file's stamp."""
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _file(entry: os.DirEntry[str], folder: str) -> Stamp | None:
    """Return the stamp of a regular file, or of the one in the folder that a link leads to."""
    try:
        if entry.is_symlink():
            resolved(entry.path, folder)
        status = entry.stat()
    except UrlRefused:
        return None
    except FileNotFoundError:
        if entry.is_symlink():
            return None
        raise  # it was here a moment ago: perhaps it has another name by now
    return stamp_of(status) if stat.S_ISREG(status.st_mode) else None


def _path(item: tuple[str, object]) -> str:
    return item[0]
