"""Any CMS's JSON over HTTP, as a source: pages by its style of paging, items by its mapping."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from library_pipeline.catalog.component import Component
from library_pipeline.catalog.errors import ManifestError
from library_pipeline.settings.source_keys import PagingSettings, SourceSettings
from library_pipeline.sources.entry import Entry
from library_pipeline.sources.http.client import HttpAnswer
from library_pipeline.sources.http.connection import CmsConnection
from library_pipeline.sources.http.page_reader import PageReader, Sleep, iso_time
from library_pipeline.sources.http.retry import http_date
from library_pipeline.sources.manifest_page import ManifestPage, read_json
from library_pipeline.sources.mapping import ItemMapping, MakeMapping, mapping_of
from library_pipeline.sources.paging import PageFacts, Paging
from library_pipeline.sources.source import ListingShifted, NotModified, Poll

_NO_PAGING: Final = PagingSettings()
_DIGEST: Final = "digest:"
_MODULUS: Final = 2**256


@dataclass(frozen=True, slots=True)
class FirstPage:
    """A listing's first page: where it is, and its facts about the whole.

    `total` counts items, also those that `where` leaves out; None if the page does not say.
    """

    url: str
    entries: tuple[Entry, ...]
    total: int | None
    goes_on: bool


class MappedListing(AbstractContextManager["MappedListing"]):
    """Reads a listing as `settings` map it; fulfils OpenSource. Not thread-safe.

    `etag` is the server's own if that stands for the whole listing (`conditional`), else a digest
    of all ids and revisions, which costs a reading of the whole. `reader` asks for the pages.
    """

    def __init__(
        self,
        settings: SourceSettings,
        connection: CmsConnection,
        *,
        sleep: Sleep = asyncio.sleep,
        mapping: MakeMapping = ItemMapping,
    ) -> None:
        self._settings = settings
        self._connection = connection
        self.reader = PageReader(connection, sleep=sleep)
        self._mapping = mapping_of(settings, mapping, connection.origins)
        self.etag: str | None = None
        self.read_at: datetime | None = None

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.reader.close()

    def changed(self, etag: str | None) -> Poll:
        """Ask conditionally if the server's ETag tells, else read the listing and compare."""
        if self.conditional and not (etag or "").startswith(_DIGEST):
            answer = self.reader.get(self._paging(None).first(), etag=etag, read_body=False)
            return Poll(answer.is_as_of(etag), answer.headers.get("etag") or etag)
        for _ in self.pages():
            pass
        return Poll(etag is not None and etag == self.etag, self.etag)

    def pages(
        self, etag: str | None = None, updated_since: datetime | None = None
    ) -> Iterator[ManifestPage]:
        """Yield the listing; see `OpenSource`. Raises ListingShifted if it changed meanwhile."""
        since = updated_since if self._settings.changed_since and self.conditional else None
        paging = self._paging(since)
        reading = Reading(self._settings, self._mapping, paging)
        url: str | None = paging.first()
        first = True
        while url is not None:
            answer = self.reader.get(url, etag=etag if first and self.conditional else None)
            if first:
                self._note(answer, etag)
            page, total = reading.read(answer)
            yield ManifestPage(page, None, total, since)
            # A CMS may repeat the key there; the client adds it to each request.
            url = reading.next and self._connection.without_key(reading.next)
            first = False
        if since is None:
            reading.check_whole()
        # Without an ETag of the server, only the digest tells a change.
        if not self.conditional or self.etag is None:
            self.etag = reading.digest

    @property
    def conditional(self) -> bool:
        """Whether an ETag stands for the whole listing, so that one request tells of a change."""
        if self._settings.conditional is not None:
            return self._settings.conditional
        return (self._settings.paging or _NO_PAGING).style == "none"

    def first_page(self) -> FirstPage:
        """Return the first page alone; raises ManifestError."""
        paging = self._paging(None)
        reading = Reading(self._settings, self._mapping, paging)
        answer = self.reader.get(paging.first())
        entries, _ = reading.read(answer)
        self.etag = answer.headers.get("etag")
        return FirstPage(answer.url, entries, reading.total, reading.next is not None)

    def _paging(self, since: datetime | None) -> Paging:
        settings = self._settings
        query = dict(settings.query)
        if since and settings.changed_since:
            query[settings.changed_since] = iso_time(since)
        return Paging(settings.paging or _NO_PAGING, settings.url or "", query, settings.page_size)

    def _note(self, answer: HttpAnswer, etag: str | None) -> None:
        if self.conditional and answer.is_as_of(etag):
            raise NotModified
        self.etag = answer.headers.get("etag")
        # Without this time, no refresh asks for the updates since then.
        asks = self._settings.changed_since and self.conditional
        self.read_at = http_date(answer.headers.get("date")) if asks else None


class Reading:
    """One reading of a listing, page by page; at its end `check_whole` tells if it missed any.

    If items are added or removed meanwhile, a CMS that counts pages or items moves others from
    page to page. One that is missed would count as removed. Such a shift shows in an overlap of
    one item, in totals that differ, or in ids that come twice.
    """

    def __init__(self, settings: SourceSettings, mapping: ItemMapping, paging: Paging) -> None:
        self._mapping, self._paging = mapping, paging
        self._max_items, self._name = settings.max_items, settings.name
        self._links = settings.preset == "contentful"
        self._sum = 0
        self._entries_read = 0
        self._ids: set[str] = set()
        self._last_id: object = None
        self._pages = 0
        self.read_items = 0
        self.total: int | None = None
        self.next: str | None = None

    @property
    def digest(self) -> str:
        """A digest of all entries in any order. Not every listing keeps the order."""
        return f"{_DIGEST}{self._entries_read}:{self._sum:064x}"

    def read(self, answer: HttpAnswer) -> tuple[tuple[Entry, ...], int | None]:
        """Return a page's entries, and the total of components if `where` leaves none out.

        Sets `next` to the next page's URL, and `total` to the page's own. Raises ManifestError,
        for a shift ListingShifted.
        """
        page = read_json(answer, links=self._links)
        items = self._mapping.items_in(page)
        if self._pages and self._paging.overlaps:
            items = self._without_overlap(items)
        here = PageFacts(answer.url, answer.headers, page, len(items))
        total = self._paging.total(here)
        if self._pages and total != self.total:
            raise ListingShifted(f"{self._what} said {self.total} items, then {total}")
        self.total = total
        found = self._entries(items, answer.url)
        self._pages += 1
        self.next = self._paging.after(here, total, self.read_items)
        return found, None if self._mapping.leaves_out else total

    def check_whole(self) -> None:
        """Raise ListingShifted if the pages did not have as many different items as they said."""
        if self.total is None or not self._paging.counts:
            return
        # An overlap shows more than ids do, which may come twice for other reasons.
        listed = self.read_items if self._paging.overlaps else len(self._ids)
        if listed != self.total:
            what = f"{self._what} said {self.total} items and listed {listed} different ones"
            raise ListingShifted(f"{what} (is mapping.id another one for each?)")

    def _entries(self, items: list[object], base: str) -> tuple[Entry, ...]:
        found: list[Entry] = []
        for item in items:
            entry = self._mapping.entry(item, self.read_items, base)
            self._last_id = self._mapping.id_of(item)
            self._ids.add(str(self._last_id))
            self.read_items += 1
            if entry is not None:
                self._add(entry)
                found.append(entry)
        if self.read_items > self._max_items:
            raise ManifestError(
                "manifest.too_many",
                f"{self._what} lists more than {self._max_items:,} items; raise its max_items",
            )
        return tuple(found)

    def _without_overlap(self, items: list[object]) -> list[object]:
        if not items:
            return items
        if self._mapping.id_of(items[0]) != self._last_id:
            raise ListingShifted(f"a page of {self._what} did not begin where the last one ended")
        return items[1:]

    @property
    def _what(self) -> str:
        return f"the listing of source {self._name}"

    def _add(self, entry: Entry) -> None:
        told = entry.revision if isinstance(entry, Component) else entry.message
        text = f"{entry.component_id}\0{told}".encode("utf-8", "surrogatepass")
        digest = hashlib.sha256(text).digest()
        self._sum = (self._sum + int.from_bytes(digest)) % _MODULUS
        self._entries_read += 1
