"""Pages of a listing for synchronous code: the one client, on an event loop in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, TypeVar

from library_pipeline.catalog.errors import ManifestError
from library_pipeline.sources.http.client import Client, HttpAnswer
from library_pipeline.sources.http.connection import CmsConnection
from library_pipeline.sources.http.retry import RequestFailure
from library_pipeline.sources.http.rules import AddressRefused, UrlRefused, describe_refusal
from library_pipeline.sources.text import redacted

Sleep = Callable[[float], Awaitable[None]]
_Result = TypeVar("_Result")


class PageReader:
    """Asks one CMS for pages. Not thread-safe.

    Its event loop runs in a separate thread, so it also works where a loop runs already, as in a
    notebook.
    """

    def __init__(self, connection: CmsConnection, *, sleep: Sleep = asyncio.sleep) -> None:
        self._connection = connection
        self._client = Client(connection, sleep=sleep)
        self._loop: asyncio.AbstractEventLoop | None = None

    def get(self, url: str, *, etag: str | None = None, read_body: bool = True) -> HttpAnswer:
        """Return the final answer for `url`, after retries; raises ManifestError."""
        limit = self._connection.limits.manifest_page
        try:
            return self._run(self._client.get(url, limit, etag=etag, read_body=read_body))
        except RequestFailure as failure:
            raise _manifest_error(self._connection, url, failure) from failure
        except AddressRefused as refused:
            message = f"the manifest at {redacted(url)} cannot be asked: {refused}"
            raise ManifestError("manifest.private_address", message) from refused
        except UrlRefused as refused:
            message = f"the manifest cannot be at {describe_refusal(url, refused)}"
            raise ManifestError(f"manifest.{refused.code}", message) from refused

    def close(self) -> None:
        """Close the connections and end the thread."""
        if self._loop:
            self._run(self._client.__aexit__())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = None

    def _run(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            # A daemon: a reader that stays open must not keep the program from ending.
            threading.Thread(
                target=_run_until_stopped, args=(self._loop,), name="pages", daemon=True
            ).start()
        running = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return running.result()
        except BaseException:  # Ctrl-C reaches this thread only
            running.cancel()
            raise


def iso_time(time: datetime) -> str:
    """Return a time as a query holds it: ISO 8601, UTC; a time without zone counts as UTC."""
    aware = time.replace(tzinfo=time.tzinfo or UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _run_until_stopped(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


def _manifest_error(connection: CmsConnection, url: str, failure: RequestFailure) -> ManifestError:
    """Return what a failure means for a listing, and the way out."""
    code, key = f"manifest.{failure.code}", connection.key
    last = redacted(failure.url)
    match failure.code:
        case "unreachable":
            message = f"cannot reach the CMS: is it running at {connection.base_url}? ({failure})"
        case "refused":
            code = f"manifest.status_{failure.status}"
            message = f"the manifest at {last} answered {failure.status}: "
            message += _way_out_of(failure.status, connection)
        case "too_large":
            message = (
                f"a page of the manifest at {last} is larger than "
                f"{connection.limits.manifest_page:,} bytes; lower {key}.page_size"
            )
        case "undecodable":
            code = "manifest.unusable"
            message = f"the manifest at {last} cannot be unpacked: {failure}"
        case _ if failure.transient:
            advice = {
                "rate_limited": f"lower {key}.requests_per_second",
                "timeout": f"raise {key}.timeout_seconds if it is slow by nature",
            }.get(failure.code, "the next refresh tries again")
            message = f"the manifest at {redacted(url)} could not be read: {failure}; {advice}"
        case _:
            message = f"the manifest at {last}: {failure}"
    return ManifestError(code, message, transient=failure.transient)


def _way_out_of(status: int, connection: CmsConnection) -> str:
    key = connection.key
    size = f"is {key}.page_size too large for it?"
    query = f"does it know the names in {key}.query (fields, filters), and {size}"
    right = f"is {key}.url right?"
    if key == "cms":
        query = size
        right = "is cms.base_url right? The manifest is looked for below it, at /components"
    return {
        400: f"the CMS does not accept the query; {query}",
        401: f"set {connection.way_in} to a token of the CMS",
        403: f"set {connection.way_in} to a token that may list components",
        404: right,
        304: "it was not asked conditionally; is there a cache in between?",
    }.get(status, "docs/cms.md says what a CMS answers")
