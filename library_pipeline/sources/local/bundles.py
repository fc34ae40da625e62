"""Folders of bundles as components: attributes, config, format, records and picture in each.

The layout is that of `sample_library/README.md`. The sample CMS serves such folders as well.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import cast

from library_pipeline.settings.source_keys import SourceSettings
from library_pipeline.sources.entry import Entry, parse_entry, problem_of
from library_pipeline.sources.http.rules import UrlRefused
from library_pipeline.sources.local.files import LocalFiles, open_below, resolved
from library_pipeline.sources.local.snapshot import (
    FileStamp,
    LocalSnapshot,
    LocalSource,
    file_stamp,
    too_many,
    unreadable_folder,
)
from library_pipeline.sources.text import reason

ATTRIBUTES = "attributes.json"
_UNFINISHED = f"it has no {ATTRIBUTES}; is it still being written?"
_PICTURES = ("png", "jpg", "jpeg", "jfif", "webp", "gif")
FILE_NAMES: Mapping[str, tuple[str, ...]] = {
    "config": ("config.json",),
    "format": ("format.html",),
    "records": ("records.json",),
    "screenshot": tuple(f"screenshot.{end}" for end in _PICTURES),
}
_WATCHED = frozenset({ATTRIBUTES, *(name for names in FILE_NAMES.values() for name in names)})
BundleStamp = Mapping[str, FileStamp]
"""The stamps of a bundle's files by name; any change to the bundle alters one of them."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """One file of a bundle and the digest of its bytes."""

    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class BundleItem:
    """One component of the library, as the manifest lists it."""

    id: str
    revision: str
    name: str
    client: str
    category: str
    tags: tuple[str, ...]
    updated_at: datetime
    files: Mapping[str, LocalFile]


def bundle_folders(root: str | os.PathLike[str]) -> list[os.DirEntry[str]]:
    """Return the folders in `root` by name, each of which may be a bundle; raises OSError."""
    with os.scandir(root) as entries:
        return sorted((entry for entry in entries if entry.is_dir()), key=lambda entry: entry.name)


def stamp_of(folder: str) -> BundleStamp:
    """Return the stamp of the bundle in `folder`; raises OSError."""
    with os.scandir(folder) as entries:
        found = {each.name: file_stamp(each.stat()) for each in entries if each.name in _WATCHED}
    return dict(sorted(found.items()))


def read_item(
    folder: Path,
    stamp: BundleStamp,
    open_file: Callable[[Path], BufferedReader] = lambda path: path.open("rb"),
) -> BundleItem | None:
    """Return the component in `folder`, None if it has no attributes.

    Raises ValueError for malformed attributes, and OSError.
    """
    if ATTRIBUTES not in stamp:
        return None
    with open_file(folder / ATTRIBUTES) as file:
        attributes = _attributes(file.read())
    files = {
        kind: LocalFile(folder / name, _digest(folder / name, open_file))
        for kind, names in FILE_NAMES.items()
        for name in [next((name for name in names if name in stamp), None)]
        if name
    }
    return BundleItem(
        id=str(attributes.get("id") or folder.name),
        revision=_revision(attributes, files),
        name=str(attributes.get("name") or ""),
        client=str(attributes.get("client") or ""),
        category=str(attributes.get("category") or ""),
        tags=_tags(attributes),
        updated_at=_updated_at(attributes, max(each.modified_ns for each in stamp.values())),
        files=files,
    )


def _attributes(data: bytes) -> Mapping[str, object]:
    attributes: object = json.loads(data)
    if not isinstance(attributes, dict):
        raise ValueError(f"its attributes are a {type(attributes).__name__}, not an object")
    json.dumps(attributes, ensure_ascii=False).encode()  # half a surrogate pair is a ValueError
    return cast("dict[str, object]", attributes)


def _revision(attributes: Mapping[str, object], files: Mapping[str, LocalFile]) -> str:
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


@dataclass(slots=True)
class _Bundles:
    """The stamps of bundles, and the reasons for missing ones, by the folders' names."""

    stamps: dict[str, BundleStamp] = field(default_factory=dict[str, BundleStamp])
    unreadable: dict[str, str] = field(default_factory=dict[str, str])


def open_bundles(settings: SourceSettings) -> LocalSource:
    """Return the folder at `path` as a source; each folder with a bundle's file is a component.

    Its id is the one in its attributes, else the folder's name. A bundle that lacks a file, or
    whose attributes cannot be read, is a problem. Hidden folders and links to folders elsewhere
    are left out.
    """
    return LocalSource(settings, lambda: _look(settings))


def _look(settings: SourceSettings) -> LocalSnapshot:
    root = os.path.realpath(settings.path or "")
    try:
        folders = bundle_folders(root)
    except OSError as error:
        raise unreadable_folder(root, error, settings) from None
    bundles = _Bundles()
    for folder in folders:
        if not folder.name.startswith(".") and _inside(folder, root):
            _add(bundles, folder)
    if len(bundles.stamps) > settings.max_items:
        raise too_many(settings)
    etag = hashlib.sha256(repr((bundles.stamps, bundles.unreadable)).encode()).hexdigest()[:32]
    return LocalSnapshot(etag, lambda: _entries(settings, root, bundles))


def _problem(position: int, name: str, code: str, why: str) -> Entry:
    return problem_of(position, None, code, why, where=name)


def _inside(folder: os.DirEntry[str], root: str) -> bool:
    try:
        resolved(folder.path, root)
    except UrlRefused:
        return False
    return True


def _add(bundles: _Bundles, folder: os.DirEntry[str]) -> None:
    try:
        if stamp := stamp_of(folder.path):
            bundles.stamps[folder.name] = stamp
    except OSError as error:
        bundles.unreadable[folder.name] = reason(error)


def _entries(settings: SourceSettings, root: str, bundles: _Bundles) -> Iterator[Entry]:
    for position, (name, why) in enumerate(bundles.unreadable.items()):
        yield _problem(position, name, "unreadable", why)
    rule = LocalFiles(Path(root))
    for position, (name, stamp) in enumerate(bundles.stamps.items(), len(bundles.unreadable)):
        try:
            item = read_item(Path(root, name), stamp, lambda path: open_below(str(path), root))
        except UrlRefused as refused:
            yield _problem(position, name, refused.code, str(refused))
        except OSError as error:
            file = os.path.basename(str(error.filename))  # noqa: PTH119
            yield _problem(position, name, "unreadable", f"{file}: {reason(error)}")
        except (ValueError, OverflowError, RecursionError) as error:
            yield _problem(position, name, "unusable", f"{ATTRIBUTES}: {error}")
        else:
            if item:
                yield _entry(settings, item, position, rule)
            else:
                yield _problem(position, name, "unusable", _UNFINISHED)


def _entry(settings: SourceSettings, item: BundleItem, position: int, rule: LocalFiles) -> Entry:
    """Return a bundle as an entry of the contract in docs/cms.md, checked as one."""
    raw = {
        "id": item.id,
        "revision": item.revision,
        "name": item.name,
        "client": item.client,
        "category": item.category,
        "tags": list(item.tags),
        "updated_at": item.updated_at.isoformat(),
        "files": {
            kind: {"url": file.path.as_uri(), "sha256": file.sha256}
            for kind, file in item.files.items()
        },
    }
    return parse_entry(raw, position, rule, source=settings.name, prefix=settings.id_prefix)
