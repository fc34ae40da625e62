"""A sample of one source: its first items, their entries and their shape, for people to read.

The shape of foreign JSON is shown as JMESPath expressions, for a mapping to copy.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any, Final, cast

from library_pipeline.catalog.errors import ManifestError
from library_pipeline.settings import Settings
from library_pipeline.settings.source_keys import MappingSettings
from library_pipeline.sources.contentful import SyncedListing
from library_pipeline.sources.contract import HttpCms
from library_pipeline.sources.entry import Entry
from library_pipeline.sources.factory import configured_sources
from library_pipeline.sources.http.rules import FileRule
from library_pipeline.sources.listing import MappedListing
from library_pipeline.sources.manifest_page import ManifestPage
from library_pipeline.sources.mapping import ItemMapping
from library_pipeline.sources.source import OpenSource, Source
from library_pipeline.sources.sql import SqlSource
from library_pipeline.sources.text import shorten

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DEPTH: Final = 3
_MAX_KEYS: Final = 60
_NO_TERMS: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class SampleItem:
    """One item and its entry, None if `where` leaves it out.

    `item` is the source's own JSON, None if no mapping was involved; `finds_nothing` holds the
    mapped keys that find nothing in it, with their expressions.
    """

    entry: Entry | None
    item: object = None
    finds_nothing: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class SourceSample:
    """A source's first page.

    `url` is its address for a source over HTTP; `total` is the number of items that the source
    tells, and `goes_on` tells whether there is another page; each is None where a source has no
    such thing. `polls` says in words what a poll for changes costs.
    """

    items: tuple[SampleItem, ...]
    polls: str
    url: str | None = None
    total: int | None = None
    goes_on: bool | None = None


_LEFT_OUT: Final = SampleItem(None)
_MAX_LEFT_OUT: Final = 1000


def sampled_source(
    settings: Settings, terms: Mapping[str, float] = _NO_TERMS
) -> tuple[Source, Recorder]:
    """Return the one source of `settings`, and a recorder of the items that are read from it.

    Raises SettingsError; `terms` are as those of `configured_sources`.
    """
    recorder = Recorder()
    (source,) = configured_sources(settings, terms, partial(_RecordedMapping, recorder=recorder))
    return source, recorder


def take_sample(source: Source, recorder: Recorder) -> SourceSample:
    """Read the first page; raises ManifestError, which is NoItems if a mapping finds none."""
    with source.open() as asked:
        listing = asked.listing if isinstance(asked, SyncedListing) else asked
        if isinstance(listing, MappedListing):
            first = listing.first_page()
            items = tuple(found for _, found in recorder.items)
            if isinstance(asked, SyncedListing):
                polls = _synced_polls(asked)
            else:
                polls = _listing_polls(listing, len(items), first.total)
            return SourceSample(items, polls, first.url, first.total, first.goes_on)
        page = next(iter(asked.pages()), ManifestPage((), None))
        items = recorder.beside(page.entries)
        if isinstance(asked, HttpCms):
            url = f"{source.identity}/components"
            return SourceSample(items, _cms_polls(asked), url, page.total, page.next is not None)
        return SourceSample(items, _local_polls(asked))


class Recorder:
    """Holds each item that a mapping saw, with its position."""

    def __init__(self) -> None:
        self.items: list[tuple[int, SampleItem]] = []

    def add(self, position: int, sampled: SampleItem) -> None:
        """Hold an item; after many of them, items that are left out are only counted."""
        many = sampled.entry is None and len(self.items) >= _MAX_LEFT_OUT
        self.items.append((position, _LEFT_OUT if many else sampled))

    def beside(self, entries: tuple[Entry, ...]) -> tuple[SampleItem, ...]:
        """Return the entries of a first page, each with its item if it has one."""
        known = {position: each for position, each in self.items if each.entry is not None}
        return tuple(
            SampleItem(entry, found.item, found.finds_nothing)
            for position, entry in enumerate(entries)
            for found in [known.get(position, _LEFT_OUT)]
        )


class _RecordedMapping(ItemMapping):
    """A mapping that hands each item to a recorder."""

    def __init__(
        self,
        mapping: MappingSettings,
        *,
        source: str,
        prefix: str,
        files: FileRule,
        recorder: Recorder,
    ) -> None:
        super().__init__(mapping, source=source, prefix=prefix, files=files)
        self._recorder = recorder

    def entry(self, item: object, position: int, base: str) -> Entry | None:
        """Return an item's entry, and record it."""
        found = super().entry(item, position, base)
        self._recorder.add(position, SampleItem(found, item, self.finds_nothing(item)))
        return found


def _listing_polls(asked: MappedListing, items: int, total: int | None) -> str:
    if asked.conditional:
        return _cms_polls(asked)
    pages = -(-total // items) if total and items else None
    what = f"about {pages:,} pages" if pages and pages > 1 else "the whole listing"
    return f"each poll reads {what}; nothing else tells whether it has changed"


def _synced_polls(asked: SyncedListing) -> str:
    try:
        asked.sync.try_once()
    except ManifestError as error:
        return f"Contentful's sync, but it cannot be used: {error.message}"
    return "Contentful's sync: one small request as long as nothing in the space has changed"


def _cms_polls(asked: MappedListing | HttpCms) -> str:
    """Say whether a second request is answered by "not modified"; asks for that, once."""
    if asked.etag is None:
        return "conditional, but the answer has no ETag, so each poll reads the whole listing"
    try:
        changed = asked.changed(asked.etag)
    except ManifestError as error:
        return f"conditional, but asked again it failed: {error.message}"
    if changed:
        return "conditional, but its ETag is another each time, so each poll reads all of it"
    return "conditional: one small request, answered 304 as long as nothing has changed"


def _local_polls(asked: OpenSource) -> str:
    if isinstance(asked, SqlSource):
        return "the query runs, and only a hash of its rows comes over the wire"
    return "a look at names, sizes and times; no file is opened"


def outline(item: object) -> dict[str, str]:
    """Return the expressions that find something in `item`, each with its value, shortened."""
    found: dict[str, str] = {}
    for path, value in _values(item, "", _DEPTH):
        if len(found) >= _MAX_KEYS:
            break
        found[path] = f"a list of {len(value)} objects" if _of_objects(value) else shorten(value)
    return found


def lists_in(page: object) -> dict[str, int]:
    """Return the expressions that find a list of objects in `page`, each with its length.

    `@` is the page itself.
    """
    if isinstance(page, list):
        return {"@": len(cast("list[object]", page))}
    return {
        path: len(cast("list[object]", value))
        for path, value in _values(page, "", _DEPTH)
        if _of_objects(value)
    }


def _of_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _values(value: object, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield the path and value of everything that is no object, or lies too deep."""
    if not isinstance(value, dict) or not value or depth == 0:
        if path:
            yield path, value
        return
    for key, inner in cast("dict[str, object]", value).items():
        name = key if _PLAIN.fullmatch(key) else json.dumps(key)
        yield from _values(inner, f"{path}.{name}" if path else name, depth - 1)
