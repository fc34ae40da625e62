"""A CMS that answers as docs/cms.md says: its manifest, page by page."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import cast
from urllib.parse import urlencode

from library_pipeline.catalog.errors import ManifestError
from library_pipeline.sources.entry import UNSTORABLE, parse_entry, utc_time
from library_pipeline.sources.http.client import HttpAnswer
from library_pipeline.sources.http.connection import CmsConnection
from library_pipeline.sources.http.page_reader import PageReader, Sleep, iso_time
from library_pipeline.sources.http.retry import http_date
from library_pipeline.sources.http.rules import AllowedOrigins
from library_pipeline.sources.manifest_page import (
    MAX_CURSOR_LENGTH,
    ManifestPage,
    read_object,
    unusable_page,
)
from library_pipeline.sources.source import NotModified, Poll
from library_pipeline.sources.text import shorten


class HttpCms(AbstractContextManager["HttpCms"]):
    """Reads one CMS's manifest; fulfils OpenSource. Not thread-safe.

    `etag` and `read_at` are those of the first page read last; `read_at` is the time of its answer
    by the CMS's own clock, None if the CMS tells no time.
    """

    def __init__(self, connection: CmsConnection, *, sleep: Sleep = asyncio.sleep) -> None:
        self._connection = connection
        self._reader = PageReader(connection, sleep=sleep)
        self.etag: str | None = None
        self.read_at: datetime | None = None

    def __repr__(self) -> str:
        return f"HttpCms({self._connection.base_url})"

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._reader.close()

    def changed(self, etag: str | None) -> Poll:
        """Ask whether the library is still as of `etag`: one request, no body is read."""
        answer = self._reader.get(self._page_url(None, None), etag=etag, read_body=False)
        found = answer.headers.get("etag")
        return Poll(answer.is_as_of(etag), found or etag)

    def pages(
        self, etag: str | None = None, updated_since: datetime | None = None
    ) -> Iterator[ManifestPage]:
        """Yield the manifest's pages; raises NotModified before the first, or ManifestError.

        With `updated_since`, pages whose `since` is not None list only updates from that time
        on; `etag` still stands for the whole listing, and NotModified means that nothing in it has
        changed. Pages that come before an error are not the whole manifest.
        """
        cursor: str | None = None
        cursors: set[str] = set()
        position = 0
        for _ in range(self._connection.max_pages):
            first = cursor is None
            answer = self._reader.get(
                self._page_url(cursor, updated_since), etag=etag if first else None
            )
            if first:
                self._note(answer, etag)
            page = parse_page(answer, self._connection.origins, first_position=position)
            position += len(page.entries)
            yield page
            cursor = page.next
            if cursor is None:
                return
            if cursor in cursors:
                raise self._endless(f"gave the cursor {shorten(cursor)} twice")
            cursors.add(cursor)
        raise self._endless(f"has more than {self._connection.max_pages} pages")

    def _page_url(self, cursor: str | None, updated_since: datetime | None) -> str:
        query = {"limit": str(self._connection.page_size)}
        if updated_since:
            query["updated_since"] = iso_time(updated_since)
        if cursor is not None:
            query["cursor"] = cursor
        return f"{self._connection.base_url}/components?{urlencode(query)}"

    def _note(self, answer: HttpAnswer, etag: str | None) -> None:
        if answer.is_as_of(etag):
            raise NotModified
        self.etag = answer.headers.get("etag")
        self.read_at = http_date(answer.headers.get("date"))

    def _endless(self, what: str) -> ManifestError:
        where = f"{self._connection.base_url}/components"
        return ManifestError("manifest.endless", f"the manifest at {where} {what}; it has no end")


def parse_page(
    answer: HttpAnswer, origins: AllowedOrigins, *, first_position: int = 0
) -> ManifestPage:
    """Return the page of our own contract (docs/cms.md) in `answer`; raises ManifestError.

    `first_position` is the number of entries on earlier pages.
    """
    page = read_object(answer)
    listed = page.get("components")
    if not isinstance(listed, list):
        unusable_page(answer, "has no list 'components'")
    if "next" not in page:
        unusable_page(answer, "has no 'next' (the next page's cursor, null on the last page)")
    entries = tuple(
        parse_entry(raw, first_position + offset, origins)
        for offset, raw in enumerate(cast("list[object]", listed))
    )
    return ManifestPage(
        entries,
        _cursor(page["next"], answer),
        _total(page.get("total"), answer),
        _since(page.get("since"), answer),
    )


def _cursor(value: object, answer: HttpAnswer) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value or len(value) > MAX_CURSOR_LENGTH:
        unusable_page(answer, f"has the cursor {shorten(value)} as 'next', not text or null")
    if UNSTORABLE.search(value):
        unusable_page(answer, f"has the cursor {shorten(value)} as 'next', which no URL can hold")
    return value


def _total(value: object, answer: HttpAnswer) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        unusable_page(answer, f"has the 'total' {shorten(value)}, not a number of components")
    return value


def _since(value: object, answer: HttpAnswer) -> datetime | None:
    time = utc_time(value)
    if time is None and value is not None:
        unusable_page(
            answer, f"has the 'since' {shorten(value)}, not a time like 2026-01-31T12:00:00Z"
        )
    return time
