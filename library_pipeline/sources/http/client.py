"""The client of one CMS: paced, bounded and retried requests, to allowed URLs only."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import httpx

from library_pipeline.sources.http.connection import CmsConnection
from library_pipeline.sources.http.retry import (
    RequestFailure,
    RequestPace,
    Retries,
    status_failure,
    transport_failure,
)
from library_pipeline.sources.http.rules import UrlRefused, describe_refusal
from library_pipeline.sources.http.transport import Transport

MAX_REDIRECTS = 3
_HEADERS = {"Accept": "*/*", "User-Agent": f"python-httpx/{httpx.__version__}"}


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A final answer: 200, or 304 without a body; `url` is where redirects led.

    `received` counts the bytes on the wire, `body` is unpacked.
    """

    url: str
    status: int
    headers: httpx.Headers
    body: bytes
    received: int = 0

    def is_as_of(self, etag: str | None) -> bool:
        """Return whether it says that nothing has changed since `etag` was current."""
        if self.status == httpx.codes.NOT_MODIFIED:
            return True
        found = self.headers.get("etag")  # compared weakly, RFC 9110
        return bool(etag and found) and str(etag).removeprefix("W/") == found.removeprefix("W/")


class Client(AbstractAsyncContextManager["Client"]):
    """Asks each host with at most `concurrency` requests at once, at the host's own pace.

    So a host that is slow, or asks for patience, delays no other. For one event loop; safe for
    many tasks at once.
    """

    def __init__(
        self,
        connection: CmsConnection,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._connection = connection
        self._sleep = sleep
        self._transport = Transport(connection.addresses)
        self._extensions = {"timeout": httpx.Timeout(connection.timeout_seconds).as_dict()}
        self._hosts: dict[str, tuple[asyncio.Semaphore, RequestPace]] = {}

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def get(
        self, url: str, limit: int, *, etag: str | None = None, read_body: bool = True
    ) -> HttpAnswer:
        """Return the final answer for `url`, of at most `limit` bytes, after retries.

        With `etag` the request is conditional; without `read_body` the body stays unread. Raises
        RequestFailure, or UrlRefused for a URL or an address that must not be asked.
        """
        self._connection.origins.check(url)
        retries = Retries(self._connection)
        while True:
            try:
                return await self._follow(url, limit, etag, read_body)
            except RequestFailure as failure:
                await self._sleep(retries.wait_seconds(failure))

    async def _follow(self, url: str, limit: int, etag: str | None, read_body: bool) -> HttpAnswer:
        """Ask for `url` and for where it redirects to; each of these URLs is checked."""
        asked = url
        for _ in range(MAX_REDIRECTS + 1):
            async with self._turn(url), self._asked(url, etag) as response:
                if not response.has_redirect_location:
                    return await self._answer(url, response, limit, etag, read_body)
                location = response.headers["location"]
            try:
                url = self._connection.redirect_target(url, location)
            except UrlRefused as refused:
                message = f"it redirects to {describe_refusal(location, refused)}"
                raise RequestFailure("bad_redirect", message, url=url) from refused
        message = f"it redirects more than {MAX_REDIRECTS} times"
        raise RequestFailure("bad_redirect", message, url=asked)

    @asynccontextmanager
    async def _turn(self, url: str) -> AsyncIterator[None]:
        """Wait for room and for a turn at the URL's host; then allow one answer its time."""
        room, pace = self._host_of(url)
        async with room:
            taken_at = time.monotonic()
            while (wait := pace.wait_seconds()) > 0:
                await self._sleep(wait)
                if not pace.paused():
                    break
                taken_at = time.monotonic()
            try:
                async with asyncio.timeout(self._connection.answer_timeout_seconds):
                    yield
            except TimeoutError:
                raise RequestFailure(
                    "timeout", "no answer in time", url=url, transient=True
                ) from None
            except RequestFailure as failure:
                if failure.code == "rate_limited":
                    max_wait = self._connection.retry_after_max_seconds
                    pace.slow_down(min(failure.retry_after or 0.0, max_wait), taken_at)
                raise
        pace.went_well()

    def _host_of(self, url: str) -> tuple[asyncio.Semaphore, RequestPace]:
        name = url.split("/", 3)[2]
        if name not in self._hosts:
            room = asyncio.Semaphore(self._connection.concurrency)
            self._hosts[name] = room, RequestPace(self._connection.requests_per_second)
        return self._hosts[name]

    @asynccontextmanager
    async def _asked(self, url: str, etag: str | None) -> AsyncIterator[httpx.Response]:
        """Yield the answer to one request, and close it."""
        headers = _HEADERS | self._connection.headers_for(url)
        if etag:
            headers["If-None-Match"] = etag
        in_body = False
        try:
            request = httpx.Request(
                "GET",
                self._connection.url_for(url),
                headers=headers,
                extensions=self._extensions,
            )
            response = await self._transport.handle_async_request(request)
            in_body = True
            try:
                yield response
            finally:
                await response.aclose()
        except httpx.TransportError as error:
            raise transport_failure(error, url, in_body=in_body) from error
        except httpx.InvalidURL as error:
            raise RequestFailure("bad_url", f"it cannot be asked for: {error}", url=url) from error

    async def _answer(
        self, url: str, response: httpx.Response, limit: int, etag: str | None, read_body: bool
    ) -> HttpAnswer:
        status, headers = response.status_code, response.headers
        unchanged = status == httpx.codes.NOT_MODIFIED and etag is not None
        if status != httpx.codes.OK and not unchanged:
            raise status_failure(status, headers, url)
        if unchanged or not read_body:
            return HttpAnswer(url, status, headers, b"")
        body, received = await _read_body(url, response, limit)
        return HttpAnswer(url, status, headers, body, received)


async def _read_body(url: str, response: httpx.Response, limit: int) -> tuple[bytes, int]:
    """Return the body, unpacked, and the number of its bytes on the wire; raises RequestFailure."""
    too_large = RequestFailure("too_large", f"it is larger than {limit:,} bytes", url=url)
    stated = response.headers.get("content-length", "")
    if stated.isdigit() and int(stated[:18]) > limit:
        raise too_large
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in {"", "identity", "gzip", "x-gzip"}:
        raise _undecodable(url, f"Content-Encoding {encoding[:40]!r} was not asked for")
    gunzip = zlib.decompressobj(wbits=31) if encoding.endswith("gzip") else None
    pieces: list[bytes] = []
    size = received = 0
    async for piece in response.aiter_raw():
        received += len(piece)
        # One byte beyond the limit is enough to know; a bomb unfolds no further.
        try:
            unpacked = gunzip.decompress(piece, limit - size + 1) if gunzip else piece
        except zlib.error as error:
            raise _undecodable(url, f"the gzip stream is broken ({error})") from None
        size += len(unpacked)
        if size > limit:
            raise too_large
        pieces.append(unpacked)
    if gunzip and received and not gunzip.eof:
        raise _undecodable(url, "the gzip stream ends too early")
    return b"".join(pieces), received


def _undecodable(url: str, why: str) -> RequestFailure:
    return RequestFailure("undecodable", f"it cannot be unpacked: {why}", url=url)
