"""What one source lists first, item by item: what was understood of it and what was not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Final

from library_pipeline.catalog.component import Component
from library_pipeline.settings import Settings
from library_pipeline.settings.sources import MappingSettings
from library_pipeline.sources.configured import configured_sources
from library_pipeline.sources.entry import FileRule, ManifestProblem
from library_pipeline.sources.http_cms import HttpCms
from library_pipeline.sources.listing import MappedListing
from library_pipeline.sources.manifest import ManifestError, ManifestPage
from library_pipeline.sources.mapping import ItemMapping
from library_pipeline.sources.source import OpenSource, Source
from library_pipeline.sources.sql import SqlSource
from library_pipeline.sources.synced import SyncedListing

Entry = Component | ManifestProblem
_NO_TERMS: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class SampledItem:
    """One item: what it says, None where `where` leaves it out.

    `item` is what the source lists, None where no mapping was asked; `finds_nothing` are the mapped
    keys, with their expressions, that find nothing in it.
    """

    entry: Entry | None
    item: object = None
    finds_nothing: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Sample:
    """A source's first page.

    `url` is where it was read over HTTP; `total` is how many items the source says it has, and
    `goes_on` whether there is another page; None where there is no such thing. `polls` says what
    it costs to ask whether the source has changed.
    """

    items: tuple[SampledItem, ...]
    polls: str
    url: str | None = None
    total: int | None = None
    goes_on: bool | None = None


_LEFT_OUT: Final = SampledItem(None)
_MOST_LEFT_OUT: Final = 1000


def sampled_source(
    settings: Settings, terms: Mapping[str, float] = _NO_TERMS
) -> tuple[Source, Recorder]:
    """Return the one source of `settings` and what records items while it is read.

    Raises SettingsError; `terms` are as those of `configured_sources`.
    """
    recorder = Recorder()
    (source,) = configured_sources(settings, terms, partial(_Recording, recorder=recorder))
    return source, recorder


def take_sample(source: Source, recorder: Recorder) -> Sample:
    """Read the first page; raises ManifestError, NoItems where a mapping finds no items."""
    with source.open() as asked:
        listing = asked.listing if isinstance(asked, SyncedListing) else asked
        if isinstance(listing, MappedListing):
            first = listing.first_page()
            items = tuple(found for _, found in recorder.items)
            if isinstance(asked, SyncedListing):
                polls = _synced_polls(asked)
            else:
                polls = _listing_polls(listing, len(items), first.total)
            return Sample(items, polls, first.url, first.total, first.goes_on)
        page = next(iter(asked.pages()), ManifestPage((), None))
        items = recorder.beside(page.entries)
        if isinstance(asked, HttpCms):
            url = f"{source.identity}/components"
            return Sample(items, _cms_polls(asked), url, page.total, page.next is not None)
        return Sample(items, _local_polls(asked))


class Recorder:
    """Holds each item that a mapping was asked of, with its position."""

    def __init__(self) -> None:
        self.items: list[tuple[int, SampledItem]] = []

    def add(self, position: int, sampled: SampledItem) -> None:
        """Hold an item; of very many that are left out, only that they are."""
        many = sampled.entry is None and len(self.items) >= _MOST_LEFT_OUT
        self.items.append((position, _LEFT_OUT if many else sampled))

    def beside(self, entries: tuple[Entry, ...]) -> tuple[SampledItem, ...]:
        """Return the entries of a first page, each with its item where it had one."""
        known = {position: each for position, each in self.items if each.entry is not None}
        return tuple(
            SampledItem(entry, found.item, found.finds_nothing)
            for position, entry in enumerate(entries)
            for found in [known.get(position, _LEFT_OUT)]
        )


class _Recording(ItemMapping):
    """A mapping that hands what it was asked of to a recorder."""

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
        """Return what an item says, and record it."""
        found = super().entry(item, position, base)
        self._recorder.add(position, SampledItem(found, item, self.finds_nothing(item)))
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
