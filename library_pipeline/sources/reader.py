"""Requests for pages of a listing: paced, bounded, retried, never where they must not go."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx
from tenacity import Retrying

from library_pipeline.sources.addresses import AddressRefused
from library_pipeline.sources.body import LimitedBody, TooLarge, Undecodable
from library_pipeline.sources.connection import CmsConnection
from library_pipeline.sources.http_client import keep_urls_out_of_logs
from library_pipeline.sources.manifest import ManifestError
from library_pipeline.sources.origins import UrlRefused, describe_refusal
from library_pipeline.sources.pace import Pace
from library_pipeline.sources.retries import (
    TransientError,
    retry_options,
    status_failure,
    transport_failure,
)
from library_pipeline.sources.transport import open_client
from library_pipeline.sources.wording import redacted

MAX_REDIRECTS = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is final: 200, or 304 without a body; `url` is where redirects led."""

    url: str
    status: int
    headers: httpx.Headers
    body: bytes

    def is_as_of(self, etag: str | None) -> bool:
        """Return whether it says that nothing has changed since `etag` was current."""
        return self.status == httpx.codes.NOT_MODIFIED or _same(etag, self.headers.get("etag"))


class PageReader:
    """Asks one CMS for pages. Not thread-safe."""

    def __init__(
        self, connection: CmsConnection, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        keep_urls_out_of_logs()
        self._connection = connection
        self._sleep = sleep
        self._pace = Pace(connection.requests_per_second)
        self._client = open_client(connection)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, url: str, *, etag: str | None = None, read_body: bool = True) -> Answer:
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
            "rate_limited": f"lower {self._connection.key}.requests_per_second",
            "timeout": f"raise {self._connection.key}.timeout_seconds if it is slow by nature",
        }.get(error.code, "the next refresh tries again")
        return f"the manifest at {redacted(url)} could not be read: {error}; {advice}"

    def _once(self, url: str, etag: str | None, read_body: bool) -> Answer:
        deadline = time.monotonic() + self._connection.answer_timeout_seconds
        in_body = False
        try:
            for _ in range(MAX_REDIRECTS + 1):
                if wait := self._pace.wait_seconds():
                    self._sleep(wait)  # not for 0 s, which hands a busy core over to others
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
                    return Answer(url, response.status_code, response.headers, body)
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
        way_in = self._connection.way_in
        way_out = {
            400: f"the CMS does not accept the query; {self._connection.question}",
            401: f"set {way_in} to a token of the CMS",
            403: f"set {way_in} to a token that may list components",
            404: self._connection.found_at,
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
                f"lower {self._connection.key}.page_size"
            )
            raise ManifestError("manifest.too_large", message) from None
        except Undecodable as error:
            message = f"the manifest at {redacted(url)} cannot be unpacked: {error}"
            raise ManifestError("manifest.unusable", message) from None


def _same(etag: str | None, other: str | None) -> bool:
    """Return whether two ETags mean the same listing (RFC 9110's weak comparison)."""
    return bool(etag and other) and str(etag).removeprefix("W/") == str(other).removeprefix("W/")
