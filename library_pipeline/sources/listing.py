"""Any CMS's JSON over HTTP, as a source: pages by its style of paging, items by its mapping."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from time import sleep as wait

from library_pipeline.settings.sources import PagingSettings, SourceSettings
from library_pipeline.sources.connection import CmsConnection
from library_pipeline.sources.digest import is_digest
from library_pipeline.sources.http_client import http_date, iso_time
from library_pipeline.sources.manifest import ManifestError, ManifestPage
from library_pipeline.sources.mapping import ItemMapping
from library_pipeline.sources.origins import UrlRefused, describe_refusal
from library_pipeline.sources.paging import Paging
from library_pipeline.sources.reader import Answer, PageReader
from library_pipeline.sources.source import NotModified, Poll
from library_pipeline.sources.walk import Entries, Walk

_NONE = PagingSettings()
MakeMapping = Callable[..., ItemMapping]
"""What makes a mapping of its settings, with the keywords of ItemMapping."""


@dataclass(frozen=True, slots=True)
class FirstPage:
    """A listing's first page: where it is, and what it says of the whole.

    `total` counts items, those too that `where` leaves out; None where the page does not say.
    """

    url: str
    entries: Entries
    total: int | None
    goes_on: bool


class MappedListing(AbstractContextManager["MappedListing"]):
    """Reads a listing as `settings` map it. Not thread-safe.

    `etag` is the server's own where that stands for the whole listing (`conditional`), else a
    digest of all ids and revisions, for which all of it has to be read. `reader` is what asks.
    """

    def __init__(
        self,
        settings: SourceSettings,
        connection: CmsConnection,
        *,
        sleep: Callable[[float], None] = wait,
        mapping: MakeMapping = ItemMapping,
    ) -> None:
        self._settings = settings
        self._connection = connection
        self.reader = PageReader(connection, sleep=sleep)
        self._mapping = mapping(
            settings.mapping,
            source=settings.name,
            prefix=settings.id_prefix,
            files=connection.origins,
        )
        self.etag: str | None = None
        self.read_at: datetime | None = None

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.reader.close()

    def changed(self, etag: str | None) -> Poll:
        """Ask conditionally where the server's ETag tells, else read the listing and compare."""
        if self.conditional and not is_digest(etag):
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
        walk = Walk(self._settings, self._mapping, paging)
        url: str | None = paging.first()
        first = True
        while url is not None:
            answer = self.reader.get(url, etag=etag if first and self.conditional else None)
            if first:
                self._take_note(answer, etag)
            page, total = walk.read(answer)
            yield ManifestPage(page, None, total, since)
            url = self._allowed(walk.next)
            first = False
        if since is None:
            walk.check_whole()
        # Without an ETag of the server's own the listing has to be compared.
        if not self.conditional or self.etag is None:
            self.etag = walk.digest

    @property
    def conditional(self) -> bool:
        """Whether an ETag stands for the whole listing, so that one request tells of a change."""
        if self._settings.conditional is not None:
            return self._settings.conditional
        return (self._settings.paging or _NONE).style == "none"

    def first_page(self) -> FirstPage:
        """Return the first page alone, and what it says of others; raises ManifestError."""
        paging = self._paging(None)
        walk = Walk(self._settings, self._mapping, paging)
        answer = self.reader.get(paging.first())
        entries, _ = walk.read(answer)
        self.etag = answer.headers.get("etag")
        return FirstPage(answer.url, entries, walk.total, walk.next is not None)

    def _paging(self, since: datetime | None) -> Paging:
        settings = self._settings
        query = dict(settings.query)
        if since and settings.changed_since:
            query[settings.changed_since] = iso_time(since)
        return Paging(settings.paging or _NONE, settings.url or "", query, settings.page_size)

    def _allowed(self, url: str | None) -> str | None:
        """Return the next page's URL, as the CMS may have made it up; raises ManifestError."""
        if url is None:
            return None
        try:
            self._connection.origins.check(url)
        except UrlRefused as refused:
            message = f"the listing's next page is at {describe_refusal(url, refused)}"
            raise ManifestError(f"manifest.{refused.code}", message) from refused
        credentials = self._connection.credentials
        return credentials.removed_from(url) if credentials else url  # it is put in when asked

    def _take_note(self, answer: Answer, etag: str | None) -> None:
        if self.conditional and answer.is_as_of(etag):
            raise NotModified
        self.etag = answer.headers.get("etag")
        # Without a time nobody asks for updates since then.
        asks = self._settings.changed_since and self.conditional
        self.read_at = http_date(answer.headers.get("date")) if asks else None
