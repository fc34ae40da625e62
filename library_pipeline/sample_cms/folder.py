"""A folder of bundles read as a library: edit a file there and the CMS has a new revision."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from library_pipeline.sources.local.bundles import (
    BundleItem,
    Stamp,
    bundle_folders,
    read_item,
    stamp_of,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listing:
    """The whole library at one moment, by id; `etag` differs whenever any of it does.

    From `began` on, the time of the first look, `updated_at` is when an item changed or came back.
    """

    items: tuple[BundleItem, ...]
    by_id: Mapping[str, BundleItem]
    etag: str
    began: datetime


class LibraryFolder:
    """Reads a folder again only where files changed: a look costs one `stat` a file."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.path = Path(folder)
        self._known: dict[str, tuple[Stamp, BundleItem | None]] = {}
        self._listing: Listing | None = None
        self._looked_at = float("-inf")
        self._lock = threading.Lock()

    def listing(self, max_age: float = 0.0) -> Listing:
        """Return the library as it is now, or as it was up to `max_age` seconds ago."""
        with self._lock:
            if self._listing is None or time.monotonic() - self._looked_at > max_age:
                self._listing = self._look(self._listing)
            return self._listing

    def _look(self, before: Listing | None) -> Listing:
        now = datetime.now(UTC)
        found = {entry.name: _stamp(entry.path) for entry in bundle_folders(self.path)}
        changed = [name for name, stamp in found.items() if self._stamp_of(name) != stamp]
        gone = self._known.keys() - found.keys()
        for name in changed:
            self._known[name] = (found[name], self._read(name, found[name]))
        for name in gone:
            del self._known[name]
        self._looked_at = time.monotonic()
        if before and not changed and not gone:
            return before
        return _listing([item for _, item in self._known.values() if item], before, now)

    def _stamp_of(self, name: str) -> Stamp | None:
        known = self._known.get(name)
        return known[0] if known else None

    def _read(self, name: str, stamp: Stamp) -> BundleItem | None:
        try:
            return read_item(self.path / name, stamp)
        except (OSError, ValueError) as error:
            log.warning("bundle %s is left as it was: %s", self.path / name, error)
            # Probably half-way through an edit; dropping it would delete the component.
            known = self._known.get(name)
            return known[1] if known else None


def _listing(items: Sequence[BundleItem], before: Listing | None, now: datetime) -> Listing:
    by_id: dict[str, BundleItem] = {}
    for item in items:
        if by_id.setdefault(item.id, item) is not item:
            log.warning("component %r is in two folders; one is left out", item.id)
    ordered = tuple(_dated(by_id[key], before, now) for key in sorted(by_id))
    digest = hashlib.sha256()
    for item in ordered:
        digest.update(json.dumps([item.id, item.revision]).encode())
    return Listing(
        ordered,
        {item.id: item for item in ordered},
        f'"{digest.hexdigest()[:32]}"',
        before.began if before else now,
    )


def _dated(item: BundleItem, before: Listing | None, now: datetime) -> BundleItem:
    """Return `item` as updated now if it is not as it was before, whatever its files' times are.

    Files that are moved here or unpacked keep the times that they had elsewhere.
    """
    if before is None:
        return item
    old = before.by_id.get(item.id)
    if old and old.revision == item.revision:
        return replace(item, updated_at=old.updated_at)
    return replace(item, updated_at=max(item.updated_at, now))


def _stamp(folder: str) -> Stamp:
    try:
        return stamp_of(folder)
    except FileNotFoundError:  # removed while we looked
        return ()
