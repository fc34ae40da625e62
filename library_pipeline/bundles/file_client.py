"""One file over HTTP: paced, bounded, retried, never from where it must not come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpcore
import httpx
from tenacity import AsyncRetrying

from library_pipeline.bundles.connections import Slot
from library_pipeline.catalog.errors import LibraryError
from library_pipeline.sources.body import LimitedBody, TooLarge, Undecodable
from library_pipeline.sources.connection import CmsConnection
from library_pipeline.sources.guarded import GuardedAsyncBackend
from library_pipeline.sources.http_client import TRANSPORT_ERRORS, as_httpx
from library_pipeline.sources.origins import UrlRefused, describe_refusal
from library_pipeline.sources.pace import Pace
from library_pipeline.sources.proxies import environment_proxies
from library_pipeline.sources.retries import (
    RATE_LIMITED,
    TransientError,
    retry_options,
    status_failure,
    transport_failure,
)

MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class FileError(LibraryError):
    """A file cannot be had: `code` is stable, `message` says why and the way out."""


@dataclass(frozen=True, slots=True)
class Download:
    """A file's bytes, and how many came over the wire for it."""

    data: bytes
    received: int


class _Host:
    """What is kept for one host: room for requests, and how fast they may follow each other."""

    def __init__(self, slots: Sequence[Slot], pace: Pace) -> None:
        self.slots, self.pace = slots, pace
        # The slot used last is used next, so that a slow CMS sees few connections.
        self.free = asyncio.LifoQueue[Slot]()
        for slot in slots:
            self.free.put_nowait(slot)


class FileClient:
    """Asks each host for files with at most `concurrency` requests at once, at its own pace.

    So one that is slow, or asks for patience, stalls no other. One event loop's own.
    """

    def __init__(self, connection: CmsConnection) -> None:
        self._connection = connection
        self._proxies = environment_proxies()
        self._backend = GuardedAsyncBackend(connection.addresses)
        self._hosts: dict[str, _Host] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for host in self._hosts.values():
            for slot in host.slots:
                await slot.aclose()

    async def get(self, url: str, limit: int) -> Download:
        """Return the file at `url`, of at most `limit` bytes, after retries; raises FileError."""
        try:
            self._connection.origins.check(url)
            try:
                return await self._attempt(url, limit)
            except TransientError as error:
                return await self._try_again(url, limit, error)
        except TransientError as error:
            message = _advise(error, self._connection.key)
            raise FileError(error.code, message, transient=True) from error
        except UrlRefused as refused:
            raise FileError(refused.code, str(refused)) from refused

    async def _try_again(self, url: str, limit: int, first: TransientError) -> Download:
        """Ask anew for as long as it may help, the attempt that ended with `first` included.

        Apart, as setting this up takes a tenth of a request's time, and few files need it.
        """
        async for attempt in AsyncRetrying(**retry_options(self._connection)):
            with attempt:
                if attempt.retry_state.attempt_number == 1:
                    raise first
                return await self._attempt(url, limit)
        raise AssertionError("unreachable")  # tenacity either returns or raises

    async def _attempt(self, url: str, limit: int) -> Download:
        host = self._host_of(url)
        slot = await host.free.get()
        try:
            turn_taken_at = await _turn(host.pace)
            try:
                async with asyncio.timeout(self._connection.answer_timeout_seconds):
                    download = await self._follow(slot, url, limit)
            except TimeoutError:
                raise TransientError("timeout", "the answer took too long") from None
            except TransientError as error:
                if error.code == "rate_limited":
                    most = self._connection.retry_after_max_seconds
                    host.pace.slow_down(min(error.retry_after or 0.0, most), turn_taken_at)
                raise
        finally:
            host.free.put_nowait(slot)
        host.pace.went_well()
        return download

    def _host_of(self, url: str) -> _Host:
        name = url.split("/", 3)[2]
        if name not in self._hosts:
            slots = [
                Slot(self._connection.timeout_seconds, self._proxies, self._backend)
                for _ in range(self._connection.concurrency)
            ]
            self._hosts[name] = _Host(slots, Pace(self._connection.requests_per_second))
        return self._hosts[name]

    async def _follow(self, slot: Slot, url: str, limit: int) -> Download:
        """Ask for `url` and for where it redirects to, checking each hop."""
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._ask(slot, url, limit)
            if isinstance(answer, Download):
                return answer
            try:
                url = self._connection.redirect_target(url, answer)
            except UrlRefused as refused:
                message = f"it redirects to {describe_refusal(answer, refused)}"
                raise FileError("bad_redirect", message) from refused
        raise FileError("bad_redirect", f"it redirects more than {MAX_REDIRECTS} times")

    async def _ask(self, slot: Slot, url: str, limit: int) -> Download | str:
        """Return the file, or the location that the answer redirects to."""
        in_body = False
        try:
            asked = httpx.URL(self._connection.url_for(url))
            answer = await slot.ask(asked, self._connection.headers_for(url))
            try:
                if answer.status != httpx.codes.OK:
                    return self._location(url, answer)
                in_body = True
                return await _read(answer, limit)
            finally:
                await answer.aclose()
        except TRANSPORT_ERRORS as error:
            failure = transport_failure(as_httpx(error), in_body=in_body)
            if failure is None:
                raise FileError("bad_request", f"it cannot be asked for: {error}") from error
            raise failure from error
        except httpx.InvalidURL as error:
            raise FileError("bad_url", f"it cannot be asked for: {error}") from error

    def _location(self, url: str, answer: httpcore.Response) -> str:
        """Return where an answer redirects to; raises what any other one without a file means."""
        status, headers = answer.status, httpx.Headers(answer.headers)
        if status in _REDIRECTS and "location" in headers:
            return headers["location"]
        failure = status_failure(status, headers)
        if failure:
            raise failure
        if status in {401, 403}:
            raise FileError("forbidden", f"the answer was {status}; {self._way_in(url)}")
        if status in {404, 410}:
            raise FileError(
                "not_found",
                f"the answer was {status}; put the file back in the CMS or take it off the list",
            )
        raise FileError("refused", f"the answer was {status}; docs/cms.md says what a CMS answers")

    def _way_in(self, url: str) -> str:
        if self._connection.origins.may_have_token(url):
            return f"set {self._connection.way_in} to a token that may read files"
        return "the token goes to the CMS's own origin only, this URL has to open without it"


def too_large(limit: int) -> FileError:
    """Return the error for a file of more than `limit` bytes."""
    message = f"it is larger than {limit:,} bytes; make it smaller or raise the limit"
    return FileError("too_large", message)


async def _turn(pace: Pace) -> float:
    """Wait for the pace to allow a request; returns when that turn was taken."""
    while True:
        taken_at = time.monotonic()
        wait = pace.wait_seconds()
        if wait > 0:
            await asyncio.sleep(wait)
        if wait <= 0 or not pace.paused():
            return taken_at


async def _read(answer: httpcore.Response, limit: int) -> Download:
    try:
        stated = _header(answer, b"content-length")
        if stated.isdigit() and int(stated[:18]) > limit:
            raise TooLarge
        body = LimitedBody(limit, _header(answer, b"content-encoding"))
        async for piece in answer.aiter_stream():
            body.add(piece)
        return Download(body.bytes(), body.received)
    except TooLarge:
        raise too_large(limit) from None
    except Undecodable as error:
        raise FileError("undecodable", f"it cannot be unpacked: {error}") from None


def _header(answer: httpcore.Response, name: bytes) -> str:
    """Return a header's value, "" without it; several are one list (RFC 9110)."""
    return ", ".join(
        value.decode("latin-1") for key, value in answer.headers if key.lower() == name
    )


def _advise(error: TransientError, key: str) -> str:
    advice = {
        "unreachable": "is its host up?",
        "rate_limited": f"after so much patience with {RATE_LIMITED}, "
        f"lower {key}.requests_per_second",
    }.get(error.code, "the next refresh tries again")
    return f"{error}; {advice}"
