"""One folder of a component's files, as a local source and the sample CMS read it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import cast

ATTRIBUTES = "attributes.json"
_PICTURES = ("png", "jpg", "jpeg", "jfif", "webp", "gif")
FILE_NAMES: Mapping[str, tuple[str, ...]] = {
    "config": ("config.json",),
    "format": ("format.html",),
    "records": ("records.json",),
    "screenshot": tuple(f"screenshot.{end}" for end in _PICTURES),
}
_WATCHED = frozenset({ATTRIBUTES, *(name for names in FILE_NAMES.values() for name in names)})


def _open(path: Path) -> BufferedReader:
    return path.open("rb")


# What changes whenever a file does: name, modification and status time, size, inode.
Stamp = tuple[tuple[str, int, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class File:
    """One file of a bundle and the digest of its bytes."""

    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class Item:
    """One component of the library, as the manifest lists it."""

    id: str
    revision: str
    name: str
    client: str
    category: str
    tags: tuple[str, ...]
    updated_at: datetime
    files: Mapping[str, File]


def bundle_folders(root: str | os.PathLike[str]) -> list[os.DirEntry[str]]:
    """Return the folders in `root` by name, each of which may be a bundle; raises OSError."""
    with os.scandir(root) as entries:
        return sorted((entry for entry in entries if entry.is_dir()), key=lambda entry: entry.name)


def stamp_of(folder: str) -> Stamp:
    """Return what changes whenever a file of the bundle in `folder` does; raises OSError."""
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.stat()) for entry in entries if entry.name in _WATCHED]
    return tuple(
        sorted((name, s.st_mtime_ns, s.st_ctime_ns, s.st_size, s.st_ino) for name, s in found)
    )


def read_item(
    folder: Path, stamp: Stamp, open_file: Callable[[Path], BufferedReader] = _open
) -> Item | None:
    """Return the component in `folder`, or None where there are no attributes.

    Raises ValueError when the attributes are not what they should be, and OSError.
    """
    times = {name: modified for name, modified, *_ in stamp}
    if ATTRIBUTES not in times:
        return None
    with open_file(folder / ATTRIBUTES) as file:
        attributes = _attributes(file.read())
    files = {
        kind: File(folder / name, _digest(folder / name, open_file))
        for kind, names in FILE_NAMES.items()
        for name in [next((name for name in names if name in times), None)]
        if name
    }
    return Item(
        id=str(attributes.get("id") or folder.name),
        revision=_revision(attributes, files),
        name=str(attributes.get("name") or ""),
        client=str(attributes.get("client") or ""),
        category=str(attributes.get("category") or ""),
        tags=_tags(attributes),
        updated_at=_updated_at(attributes, max(times.values())),
        files=files,
    )


def _attributes(data: bytes) -> Mapping[str, object]:
    attributes: object = json.loads(data)
    if not isinstance(attributes, dict):
        raise ValueError(f"its attributes are a {type(attributes).__name__}, not an object")
    json.dumps(attributes, ensure_ascii=False).encode()  # half a surrogate pair is a ValueError
    return cast("dict[str, object]", attributes)


def _revision(attributes: Mapping[str, object], files: Mapping[str, File]) -> str:
    content = [attributes, {kind: file.sha256 for kind, file in files.items()}]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _updated_at(attributes: Mapping[str, object], newest_ns: int) -> datetime:
    """Return the stated time, or that of the newest file."""
    if not attributes.get("updated_at"):
        return datetime.fromtimestamp(newest_ns / 1e9, UTC)
    stated = datetime.fromisoformat(str(attributes["updated_at"]))
    return stated.replace(tzinfo=stated.tzinfo or UTC)


def _tags(attributes: Mapping[str, object]) -> tuple[str, ...]:
    tags: object = attributes.get("tags") or list[object]()
    if not isinstance(tags, list):
        raise ValueError("tags is a list of texts")
    return tuple(str(tag) for tag in cast("list[object]", tags))


def _digest(path: Path, open_file: Callable[[Path], BufferedReader]) -> str:
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
