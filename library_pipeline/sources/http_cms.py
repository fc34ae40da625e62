"""A CMS's manifest over HTTP, page by page, with conditional requests and retries."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

import httpx
from tenacity import Retrying

from library_pipeline.sources.addresses import AddressRefused
from library_pipeline.sources.body import LimitedBody, TooLarge, Undecodable
from library_pipeline.sources.connection import CmsConnection
from library_pipeline.sources.http_client import http_date, keep_urls_out_of_logs
from library_pipeline.sources.manifest import ManifestError, ManifestPage, PageSource, parse_page
from library_pipeline.sources.origins import UrlRefused, describe_refusal
from library_pipeline.sources.pace import Pace
from library_pipeline.sources.retries import (
    TransientError,
    retry_options,
    status_failure,
    transport_failure,
)
from library_pipeline.sources.source import NotModified, Poll
from library_pipeline.sources.transport import open_client
from library_pipeline.sources.wording import redacted, shorten

__all__ = ["CmsConnection", "HttpCms", "NotModified", "Poll"]

MAX_REDIRECTS = 3


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer that is final: 200, or 304 without a body."""

    url: str
    status: int
    headers: httpx.Headers
    body: bytes


class HttpCms:
    """Reads one CMS's manifest. Not thread-safe.

    `etag` and `read_at` are those of the first page read last; `read_at` is when it was answered
    by the CMS's own clock, None where it tells no time.
    """

    def __init__(
        self, connection: CmsConnection, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        keep_urls_out_of_logs()
        self._connection = connection
        self._sleep = sleep
        self._pace = Pace(connection.requests_per_second)
        self._client = open_client(connection)
        self.etag: str | None = None
        self.read_at: datetime | None = None

    def __repr__(self) -> str:
        return f"HttpCms({self._connection.base_url})"

    def changed(self, etag: str | None) -> Poll:
        """Ask whether the library still is as of `etag`: one request, no body is read."""
        answer = self._get(self._page_url(None, None), etag=etag, read_body=False)
        found = answer.headers.get("etag")
        return Poll(answer.status == httpx.codes.NOT_MODIFIED or _same(etag, found), found or etag)

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
            answer = self._get(
                self._page_url(cursor, updated_since), etag=etag if first else None, read_body=True
            )
            if first:
                self._take_note(answer, etag)
            source = PageSource(answer.url, answer.status, answer.headers.get("content-type", ""))
            page = parse_page(
                answer.body, self._connection.origins, source, first_position=position
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
        self._client.close()

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
            aware = updated_since.replace(tzinfo=updated_since.tzinfo or UTC)
            query["updated_since"] = aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
        if cursor is not None:
            query["cursor"] = cursor
        return f"{self._connection.base_url}/components?{urlencode(query)}"

    def _take_note(self, answer: _Answer, etag: str | None) -> None:
        if answer.status == httpx.codes.NOT_MODIFIED or _same(etag, answer.headers.get("etag")):
            raise NotModified
        self.etag = answer.headers.get("etag")
        self.read_at = http_date(answer.headers.get("date"))

    def _endless(self, what: str) -> ManifestError:
        where = f"{self._connection.base_url}/components"
        return ManifestError("manifest.endless", f"the manifest at {where} {what}; it has no end")

    def _get(self, url: str, *, etag: str | None, read_body: bool) -> _Answer:
        """Return the final answer for `url`, after retries; raises ManifestError."""
        try:
            for attempt in Retrying(sleep=self._sleep, **retry_options(self._connection)):
                with attempt:
                    return self._once(url, etag, read_body)
        except TransientError as error:
            raise ManifestError(
                f"manifest.{error.code}", self._explain(url, error), transient=True
            ) from error
        except AddressRefused as refused:
            message = f"the manifest at {redacted(url)} cannot be asked: {refused}"
            raise ManifestError("manifest.private_address", message) from refused
        except UrlRefused as refused:
            message = f"the manifest redirects to {describe_refusal(url, refused)}"
            raise ManifestError("manifest.bad_redirect", message) from refused
        raise AssertionError("unreachable")  # tenacity either returns or raises

    def _explain(self, url: str, error: TransientError) -> str:
        base = self._connection.base_url
        if error.code == "unreachable":
            return f"cannot reach the CMS: is it running at {base}? ({error})"
        advice = {
            "rate_limited": "lower cms.requests_per_second",
            "timeout": "raise cms.timeout_seconds if it is slow by nature",
        }.get(error.code, "the next refresh tries again")
        return f"the manifest at {redacted(url)} could not be read: {error}; {advice}"

    def _once(self, url: str, etag: str | None, read_body: bool) -> _Answer:
        deadline = time.monotonic() + self._connection.answer_timeout_seconds
        in_body = False
        try:
            for _ in range(MAX_REDIRECTS + 1):
                self._sleep(self._pace.wait_seconds())
                headers = self._connection.headers_for(url)
                if etag:
                    headers["If-None-Match"] = etag
                with self._client.stream("GET", url, headers=headers) as response:
                    if response.has_redirect_location:
                        target = response.headers["location"]
                        url = self._connection.redirect_target(url, target)
                        continue
                    self._check_status(url, response, conditional=etag is not None)
                    in_body = True
                    body = self._read(url, response, deadline) if read_body else b""
                    return _Answer(url, response.status_code, response.headers, body)
        except httpx.TransportError as error:
            failure = transport_failure(error, in_body=in_body)
            if failure is None:
                raise ManifestError(
                    "manifest.bad_request", f"{redacted(url)} cannot be asked: {error}"
                ) from error
            raise failure from error
        raise ManifestError(
            "manifest.bad_redirect",
            f"the manifest at {redacted(url)} redirects more than {MAX_REDIRECTS} times",
        )

    def _check_status(self, url: str, response: httpx.Response, *, conditional: bool) -> None:
        status = response.status_code
        if status == httpx.codes.OK or (status == httpx.codes.NOT_MODIFIED and conditional):
            self._pace.went_well()
            return
        failure = status_failure(status, response.headers)
        if failure:
            raise failure
        way_out = {
            400: "the CMS does not accept its query; is cms.page_size too large for it?",
            401: "set LIBRARY_CMS_TOKEN to a token of the CMS",
            403: "set LIBRARY_CMS_TOKEN to a token that may list components",
            404: "is cms.base_url right? The manifest is looked for below it, at /components",
            304: "it was not asked conditionally; is there a cache in between?",
        }.get(status, "docs/cms.md says what a CMS answers")
        raise ManifestError(
            f"manifest.status_{status}",
            f"the manifest at {redacted(url)} answered {status}: {way_out}",
        )

    def _read(self, url: str, response: httpx.Response, deadline: float) -> bytes:
        if response.status_code == httpx.codes.NOT_MODIFIED:
            return b""
        limit = self._connection.limits.manifest_page
        try:
            body = LimitedBody(limit, response.headers.get("content-encoding", ""))
            for piece in response.iter_raw():
                body.add(piece)
                if time.monotonic() > deadline:
                    raise TransientError("timeout", "the answer took too long")
            return body.bytes()
        except TooLarge:
            message = (
                f"a page of the manifest at {redacted(url)} is larger than {limit:,} bytes; "
                "lower cms.page_size"
            )
            raise ManifestError("manifest.too_large", message) from None
        except Undecodable as error:
            message = f"the manifest at {redacted(url)} cannot be unpacked: {error}"
            raise ManifestError("manifest.unusable", message) from None


def _same(etag: str | None, other: str | None) -> bool:
    """Return whether two ETags mean the same listing (RFC 9110's weak comparison)."""
    return bool(etag and other) and str(etag).removeprefix("W/") == str(other).removeprefix("W/")
