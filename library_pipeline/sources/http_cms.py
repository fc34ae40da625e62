"""A CMS's manifest over HTTP, page by page, with conditional requests and retries."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

from library_pipeline.sources.connection import CmsConnection
from library_pipeline.sources.http_client import http_date, iso_time
from library_pipeline.sources.manifest import ManifestError, ManifestPage, PageSource, parse_page
from library_pipeline.sources.reader import Answer, PageReader
from library_pipeline.sources.source import NotModified, Poll
from library_pipeline.sources.wording import shorten

__all__ = ["CmsConnection", "HttpCms", "NotModified", "Poll"]


class HttpCms:
    """Reads one CMS's manifest. Not thread-safe.

    `etag` and `read_at` are those of the first page read last; `read_at` is when it was answered
    by the CMS's own clock, None where it tells no time.
    """

    def __init__(
        self,
        connection: CmsConnection,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connection = connection
        self._reader = PageReader(connection, sleep=sleep)
        self.etag: str | None = None
        self.read_at: datetime | None = None

    def __repr__(self) -> str:
        return f"HttpCms({self._connection.base_url})"

    def changed(self, etag: str | None) -> Poll:
        """Ask whether the library still is as of `etag`: one request, no body is read."""
        answer = self._reader.get(self._page_url(None, None), etag=etag, read_body=False)
        found = answer.headers.get("etag")
        return Poll(answer.is_as_of(etag), found or etag)

    def pages(
        self, etag: str | None = None, updated_since: datetime | None = None
    ) -> Iterator[ManifestPage]:
        """Yield the manifest's pages; raises NotModified before the first, or ManifestError.

        With `updated_since`, pages whose `since` is not None list only what was updated at or
        after that; `etag` still stands for the whole listing, and NotModified means that nothing
        of it has changed. What was yielded before an error must not be taken for the whole.
        """
        cursor: str | None = None
        cursors: set[str] = set()
        position = 0
        for _ in range(self._connection.max_pages):
            first = cursor is None
            answer = self._reader.get(
                self._page_url(cursor, updated_since), etag=etag if first else None, read_body=True
            )
            if first:
                self._take_note(answer, etag)
            page = parse_page(
                answer.body,
                self._connection.origins,
                PageSource(answer.url, answer.status, answer.headers.get("content-type", "")),
                first_position=position,
            )
            position += len(page.entries)
            yield page
            cursor = page.next
            if cursor is None:
                return
            if cursor in cursors:
                raise self._endless(f"gave the cursor {shorten(cursor)} twice")
            cursors.add(cursor)
        raise self._endless(f"has more than {self._connection.max_pages} pages")

    def close(self) -> None:
        """Close the connections."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _page_url(self, cursor: str | None, updated_since: datetime | None) -> str:
        query = {"limit": str(self._connection.page_size)}
        if updated_since:
            query["updated_since"] = iso_time(updated_since)
        if cursor is not None:
            query["cursor"] = cursor
        return f"{self._connection.base_url}/components?{urlencode(query)}"

    def _take_note(self, answer: Answer, etag: str | None) -> None:
        if answer.is_as_of(etag):
            raise NotModified
        self.etag = answer.headers.get("etag")
        self.read_at = http_date(answer.headers.get("date"))

    def _endless(self, what: str) -> ManifestError:
        where = f"{self._connection.base_url}/components"
        return ManifestError("manifest.endless", f"the manifest at {where} {what}; it has no end")
