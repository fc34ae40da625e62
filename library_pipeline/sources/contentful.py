"""Contentful's sync API, which tells whether anything in a space has changed since a token.

See https://www.contentful.com/developers/docs/references/content-delivery-api/#/reference/synchronization.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NoReturn, cast
from urllib.parse import parse_qs, urlencode, urlsplit

from library_pipeline.catalog.errors import ManifestError
from library_pipeline.settings.source_keys import SourceSettings
from library_pipeline.sources.entry import UNSTORABLE, utc_time
from library_pipeline.sources.http.client import HttpAnswer
from library_pipeline.sources.http.connection import CmsConnection
from library_pipeline.sources.http.page_reader import PageReader, Sleep
from library_pipeline.sources.http.retry import http_date
from library_pipeline.sources.http.rules import UrlRefused, describe_refusal, origin_of
from library_pipeline.sources.listing import MappedListing
from library_pipeline.sources.manifest_page import MAX_CURSOR_LENGTH, ManifestPage, read_object
from library_pipeline.sources.mapping import ItemMapping, MakeMapping
from library_pipeline.sources.source import NotModified, Poll
from library_pipeline.sources.text import redacted

_SETTLED: Final = "contentful-sync:"
_UNSETTLED: Final = "contentful-sync-again:"
# The refusals of a token; those of the API key are 401 and 403.
_REFUSED: Final = frozenset(f"manifest.status_{status}" for status in (400, 404, 410, 422))
_MAX_A_PAGE: Final = 100
# A publication may reach caches of the delivery API later than it is listed here.
_SETTLES: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes in a space: `items` counts entries, assets and deletions.

    `token` asks for the next page, after the `last` page for later changes. With `recent`, an item
    is so new that Contentful's other answers may lack it.
    """

    token: str
    items: int
    recent: bool
    last: bool = True


class SpaceSync:
    """Asks the sync API about the space and environment whose entries a source lists.

    It takes only the token from Contentful's URLs, and only counts what Contentful lists.
    """

    def __init__(
        self, settings: SourceSettings, connection: CmsConnection, reader: PageReader
    ) -> None:
        self._connection, self._reader = connection, reader
        self._max_items = settings.max_items
        self._url = f"{(settings.url or '').rstrip('/').removesuffix('entries')}sync"
        size = min(settings.page_size or _MAX_A_PAGE, _MAX_A_PAGE)
        self._initial = {"initial": "true", "limit": str(size)}

    def whole(self) -> Changes:
        """List the whole space and return the token of now; raises ManifestError."""
        try:
            return self._walk(self._initial)
        except ManifestError as error:
            raise self._explained(error) from error

    def since(self, token: str) -> Changes | None:
        """Return the changes since `token`, None if it has expired; raises ManifestError."""
        try:
            return self._walk({"sync_token": token})
        except ManifestError as error:
            if error.code in _REFUSED:
                return None
            raise

    def try_once(self) -> None:
        """Ask for the first page of the whole; raises ManifestError if the sync is unusable."""
        try:
            next(self._pages(self._initial))
        except ManifestError as error:
            raise self._explained(error) from error

    def _walk(self, query: Mapping[str, str]) -> Changes:
        items, recent = 0, False
        for page in self._pages(query):
            items += page.items
            recent = recent or page.recent
            if items > self._max_items:
                key = self._connection.key
                raise ManifestError(
                    "manifest.too_many",
                    f"the sync at {self._url} lists more than {self._max_items:,} entries and "
                    f"assets of the whole space; raise {key}.max_items, or take {key}.changes away",
                )
            if page.last:
                return Changes(page.token, items, recent)
        raise self._endless(f"has more than {self._connection.max_pages} pages")

    def _pages(self, query: Mapping[str, str]) -> Iterator[Changes]:
        tokens: set[str] = set()
        for _ in range(self._connection.max_pages):
            page = self._page(self._reader.get(f"{self._url}?{urlencode(query)}"))
            yield page
            if page.token in tokens:
                raise self._endless("names a page a second time")
            tokens.add(page.token)
            query = {"sync_token": page.token}

    def _page(self, answer: HttpAnswer) -> Changes:
        keys = read_object(answer)
        listed = keys.get("items")
        if not isinstance(listed, list):
            self._unusable("has no list 'items'")
        items = cast("list[object]", listed)
        following = keys.get("nextPageUrl")
        last = not following
        token = self._token_in(keys.get("nextSyncUrl") if last else following)
        since = _now(answer)
        recent = any(_is_recent(item, since) for item in items)
        return Changes(token, len(items), recent, last)

    def _token_in(self, url: object) -> str:
        """Return the token in one of Contentful's URLs, which must have the source's own origin."""
        if not isinstance(url, str) or not url:
            self._unusable("has neither a nextPageUrl nor a nextSyncUrl")
        try:
            origin = origin_of(url)
        except UrlRefused as refused:
            message = f"the sync continues at {describe_refusal(url, refused)}"
            raise ManifestError(f"manifest.{refused.code}", message) from refused
        own = self._connection.origins.cms
        if origin != own:
            message = (
                f"the sync continues at {redacted(url)}, which is not at the source's own {own}"
            )
            raise ManifestError("manifest.foreign_origin", message)
        (token, *_) = parse_qs(urlsplit(url).query).get("sync_token") or [""]
        if not token or len(token) > MAX_CURSOR_LENGTH or UNSTORABLE.search(token):
            self._unusable("continues at a URL without a usable sync_token")
        return token

    def _explained(self, error: ManifestError) -> ManifestError:
        if error.code not in _REFUSED:
            return error
        key = self._connection.key
        message = f"{error.message}; if the CMS has no sync API, take {key}.changes away"
        return ManifestError(error.code, message)

    def _unusable(self, what: str) -> NoReturn:
        raise ManifestError("manifest.unusable", f"the sync at {self._url} {what}")

    def _endless(self, what: str) -> ManifestError:
        return ManifestError("manifest.endless", f"the sync at {self._url} {what}; it has no end")


class SyncedListing(AbstractContextManager["SyncedListing"]):
    """Reads a listing when the sync tells of a change; fulfils OpenSource. Not thread-safe.

    Its `etag` is the sync token from just before the reading. A cache may lack publications of the
    last minute; the `etag` then makes the next poll read the listing once more, changed or not.
    """

    read_at: datetime | None = None  # it cannot ask for updates by time

    def __init__(
        self,
        settings: SourceSettings,
        connection: CmsConnection,
        *,
        sleep: Sleep = asyncio.sleep,
        mapping: MakeMapping = ItemMapping,
    ) -> None:
        self.listing = MappedListing(settings, connection, sleep=sleep, mapping=mapping)
        self.sync = SpaceSync(settings, connection, self.listing.reader)
        self.etag: str | None = None

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.listing.__exit__()

    def changed(self, etag: str | None) -> Poll:
        """Ask for changes since the token; without a valid one, check that a new one is offered."""
        found = self._since(etag)
        if found is None:
            return Poll(False, _etag(self.sync.whole()))
        return Poll(_says_nothing(found, etag), _etag(found))

    def pages(
        self, etag: str | None = None, updated_since: datetime | None = None
    ) -> Iterator[ManifestPage]:
        """Yield the whole listing unless nothing has changed; there are no updates by time."""
        found = self._since(etag)
        if found and _says_nothing(found, etag):
            raise NotModified
        # Taken before the reading, so that the next poll sees a change meanwhile.
        found = found or self.sync.whole()
        self.etag = None
        yield from self.listing.pages()
        self.etag = _etag(found)

    def _since(self, etag: str | None) -> Changes | None:
        mark, colon, token = (etag or "").partition(":")
        known = mark + colon in (_SETTLED, _UNSETTLED)
        return self.sync.since(token) if known and token else None


def _says_nothing(found: Changes, etag: str | None) -> bool:
    return found.items == 0 and (etag or "").startswith(_SETTLED)


def _etag(found: Changes) -> str:
    return (_UNSETTLED if found.recent else _SETTLED) + found.token


def _now(answer: HttpAnswer) -> datetime | None:
    """Return the time by Contentful's clock, and the age that a cache adds to it."""
    date = http_date(answer.headers.get("date"))
    age = answer.headers.get("age", "0")
    kept = int(age[:9]) if age.isascii() and age.isdigit() else 0
    return date and date + timedelta(seconds=kept)


def _is_recent(item: object, now: datetime | None) -> bool:
    system = cast("dict[str, Any]", item).get("sys") if isinstance(item, dict) else None
    times = cast("dict[str, Any]", system) if isinstance(system, dict) else {}
    time = utc_time(times.get("deletedAt") or times.get("updatedAt"))
    # An unknown time counts as recent, which costs one more reading.
    return time is None or now is None or time > now - _SETTLES
