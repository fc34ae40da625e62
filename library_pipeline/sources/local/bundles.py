"""A folder of bundles as components: in each folder attributes, config, format, records, picture.

The layout is that of `sample_library/README.md`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from library_pipeline.settings.sources import SourceSettings
from library_pipeline.sources.entry import parse_entry
from library_pipeline.sources.local.bundle import (
    ATTRIBUTES,
    Item,
    Stamp,
    bundle_folders,
    read_item,
    stamp_of,
)
from library_pipeline.sources.local.files import LocalFiles, open_below, resolved
from library_pipeline.sources.local.listing import (
    Entry,
    Listing,
    LocalSource,
    problem,
    reason,
    too_many,
)
from library_pipeline.sources.local.walk import unreadable_folder
from library_pipeline.sources.origins import UrlRefused
from library_pipeline.sources.source import OpenSource


@dataclass(slots=True)
class _Bundles:
    """The stamps of bundles, and why there is none of a folder, by the folders' names."""

    stamps: dict[str, Stamp] = field(default_factory=dict[str, Stamp])
    unreadable: dict[str, str] = field(default_factory=dict[str, str])


def open_bundles(settings: SourceSettings) -> AbstractContextManager[OpenSource]:
    """Open the folder at `path`, in which each folder with any file of a bundle is a component.

    Its id is the one in its attributes, else the folder's name. A bundle that lacks a file, or
    whose attributes cannot be read, is a problem of its own. Hidden folders are left out, and so
    are links to folders elsewhere.
    """
    return nullcontext(LocalSource(settings, lambda: _look(settings)))


def _look(settings: SourceSettings) -> Listing:
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
    text = json.dumps([bundles.stamps, bundles.unreadable])
    etag = hashlib.sha256(text.encode()).hexdigest()[:32]
    return Listing(etag, lambda: _entries(settings, root, bundles))


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
        yield problem(position, name, "unreadable", why)
    rule = LocalFiles(Path(root))
    for position, (name, stamp) in enumerate(bundles.stamps.items(), len(bundles.unreadable)):
        try:
            item = read_item(Path(root, name), stamp, lambda path: open_below(str(path), root))
        except UrlRefused as refused:
            yield problem(position, name, refused.code, str(refused))
        except OSError as error:
            file = os.path.basename(str(error.filename))  # noqa: PTH119
            yield problem(position, name, "unreadable", f"{file}: {reason(error)}")
        except (ValueError, OverflowError, RecursionError) as error:
            yield problem(position, name, "unusable", f"{ATTRIBUTES}: {error}")
        else:
            yield _entry(settings, item, position, rule) if item else _nameless(position, name)


def _nameless(position: int, name: str) -> Entry:
    why = f"it has no {ATTRIBUTES}; is it still being written?"
    return problem(position, name, "unusable", why)


def _entry(settings: SourceSettings, item: Item, position: int, rule: LocalFiles) -> Entry:
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
