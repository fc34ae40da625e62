"""A folder of bundles as a manifest, in pages: an edited file gives its component a revision."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import logging
import os
import threading
import time
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from library_pipeline.sources.local.bundles import (
    BundleItem,
    BundleStamp,
    bundle_folders,
    read_item,
    stamp_of,
)

log = logging.getLogger(__name__)
DEFAULT_LIMIT = 100
MAX_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class LibraryListing:
    """The whole library at one moment, ordered by id; `etag` changes with any revision.

    `began` is the time of the first reading. A later `updated_at` is the time at which an item
    changed or came back.
    """

    items: tuple[BundleItem, ...]
    by_id: Mapping[str, BundleItem]
    etag: str
    began: datetime


class LibraryFolder:
    """A folder of bundles; only bundles with changed files are read again (one `stat` per file)."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.path = Path(folder)
        self._known: dict[str, tuple[BundleStamp, BundleItem | None]] = {}
        self._listing: LibraryListing | None = None
        self._looked_at = float("-inf")
        self._lock = threading.Lock()

    def listing(self, max_age: float = 0.0) -> LibraryListing:
        """Return the state of the library, at most `max_age` seconds old."""
        with self._lock:
            if self._listing is None or time.monotonic() - self._looked_at > max_age:
                self._listing = self._look(self._listing)
            return self._listing

    def _look(self, before: LibraryListing | None) -> LibraryListing:
        now = datetime.now(UTC)
        found = {entry.name: _stamp(entry.path) for entry in bundle_folders(self.path)}
        changed = [
            name
            for name, stamp in found.items()
            if name not in self._known or self._known[name][0] != stamp
        ]
        gone = self._known.keys() - found.keys()
        for name in changed:
            self._known[name] = (found[name], self._read(name, found[name]))
        for name in gone:
            del self._known[name]
        self._looked_at = time.monotonic()
        if before and not changed and not gone:
            return before
        return _make_listing([item for _, item in self._known.values() if item], before, now)

    def _read(self, name: str, stamp: BundleStamp) -> BundleItem | None:
        try:
            return read_item(self.path / name, stamp)
        except (OSError, ValueError) as error:
            log.warning(
                "bundle %s cannot be read and keeps its last entry: %s", self.path / name, error
            )
            # A person may be editing it; without the entry the component would count as removed.
            return self._known.get(name, (stamp, None))[1]


def _make_listing(
    items: Sequence[BundleItem], before: LibraryListing | None, now: datetime
) -> LibraryListing:
    by_id: dict[str, BundleItem] = {}
    for item in items:
        if by_id.setdefault(item.id, item) is not item:
            log.warning("component %r is in two folders; one is left out", item.id)
    ordered = tuple(_dated(by_id[key], before, now) for key in sorted(by_id))
    digest = hashlib.sha256()
    for item in ordered:
        digest.update(json.dumps([item.id, item.revision]).encode())
    return LibraryListing(
        ordered,
        {item.id: item for item in ordered},
        f'"{digest.hexdigest()[:32]}"',
        before.began if before else now,
    )


def _dated(item: BundleItem, before: LibraryListing | None, now: datetime) -> BundleItem:
    """Return `item` with the time of its last change; a new revision counts as changed now.

    The times of files are no help: moved or unpacked files keep older ones.
    """
    if before is None:
        return item
    old = before.by_id.get(item.id)
    if old and old.revision == item.revision:
        return replace(item, updated_at=old.updated_at)
    return replace(item, updated_at=max(item.updated_at, now))


def _stamp(folder: str) -> BundleStamp:
    try:
        return stamp_of(folder)
    except FileNotFoundError:  # removed since the folder was listed
        return {}


class BadQuery(ValueError):
    """A query parameter cannot be used; the message names it and its value."""


@dataclass(frozen=True, slots=True)
class ManifestQuery:
    """Asks for `limit` items with ids greater than `after`, changed at or after `updated_since`."""

    limit: int = DEFAULT_LIMIT
    after: str | None = None
    updated_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class ListingPage:
    """Items, the cursor of the next page (None on the last), and the `updated_since` applied."""

    items: tuple[BundleItem, ...]
    next: str | None
    since: datetime | None


def read_query(parameters: Mapping[str, str]) -> ManifestQuery:
    """Return the query in a URL's parameters; raises BadQuery."""
    return ManifestQuery(
        limit=_limit(parameters.get("limit")),
        after=_after(parameters.get("cursor")),
        updated_since=_time(parameters.get("updated_since")),
    )


def page_of(listing: LibraryListing, query: ManifestQuery, *, shift: int = 0) -> ListingPage:
    """Return a page of the listing.

    A page starts after an id, not at an offset, so an edit of another component does not shift it.
    `shift`, a fault, moves the start of each later page by that many entries. The CMS knows no
    changes from before its start: for an earlier `updated_since` it lists everything.
    """
    since = query.updated_since
    if since and since < listing.began:
        since = None
    items = listing.items
    if since:
        items = tuple(item for item in items if item.updated_at >= since)
    start = 0
    if query.after is not None:
        start = bisect_right(items, query.after, key=lambda item: item.id) + shift
    page = items[start : start + query.limit]
    more = start + query.limit < len(items)
    return ListingPage(page, cursor_after(page[-1].id) if more else None, since)


def cursor_after(component_id: str) -> str:
    """Return the cursor of the page that starts after `component_id`."""
    return base64.urlsafe_b64encode(component_id.encode()).decode()


def _limit(value: str | None) -> int:
    if value is None:
        return DEFAULT_LIMIT
    if not (value.isascii() and value.isdigit() and 1 <= int(value[:9]) <= MAX_LIMIT):
        raise BadQuery(f"limit={value[:40]!r} is not a number from 1 to {MAX_LIMIT}")
    return int(value)


def _after(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    try:
        return base64.b64decode(cursor, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise BadQuery(f"cursor={cursor[:40]!r} is not the `next` of a page") from None


def _time(value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise BadQuery(
            f"updated_since={value[:40]!r} is not an ISO 8601 time like 2026-01-31T12:00:00Z"
        ) from None
    return time.replace(tzinfo=time.tzinfo or UTC)
