"""When a request goes out, and when a failed one goes out again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from library_pipeline.catalog.errors import LibraryError
from library_pipeline.sources.http.connection import CmsConnection

RATE_LIMITED = 429
_TRANSIENT_STATUS = frozenset({408, 425, RATE_LIMITED})
_FIRST_GAP_SECONDS = 0.005
_MAX_GAP_SECONDS = 2.0
_QUICKER_BY = 0.98


class RequestFailure(LibraryError):
    """A request got no usable answer.

    The codes of transient failures are timeout, unreachable, connection_lost, truncated,
    rate_limited and server_error; those of lasting ones bad_url, bad_request, bad_redirect,
    too_large, undecodable and refused. `status` is that of the answer, 0 without one;
    `retry_after` is in seconds; `url` is the URL that was asked last, after redirects.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        url: str = "",
        transient: bool = False,
        status: int = 0,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(code, message, transient=transient)
        self.url, self.status, self.retry_after = url, status, retry_after


def transport_failure(
    error: httpx.TransportError, url: str = "", *, in_body: bool
) -> RequestFailure:
    """Return the failure that a transport error means."""
    match error:
        case httpx.TimeoutException():
            code, message = "timeout", "no answer in time"
        case httpx.ConnectError():
            code, message = "unreachable", f"no connection ({error})"
        case httpx.UnsupportedProtocol() | httpx.LocalProtocolError():
            return RequestFailure("bad_request", f"it cannot be asked for: {error}", url=url)
        case _ if in_body:
            code, message = "truncated", "the answer ended before its end"
        case _:
            code, message = "connection_lost", "the connection was closed without an answer"
    return RequestFailure(code, message, url=url, transient=True)


def status_failure(
    status: int, headers: Mapping[str, str], url: str = "", now: datetime | None = None
) -> RequestFailure:
    """Return the failure that a status means; it is transient if asking again may help."""
    message = f"the answer was {status}"
    if status not in _TRANSIENT_STATUS and status < httpx.codes.INTERNAL_SERVER_ERROR:
        return RequestFailure("refused", message, url=url, status=status)
    code = "rate_limited" if status == RATE_LIMITED else "server_error"
    wait = retry_after_seconds(headers.get("retry-after"), now or datetime.now(UTC))
    return RequestFailure(code, message, url=url, transient=True, status=status, retry_after=wait)


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Return the seconds to wait that Retry-After (RFC 9110: seconds, or a date) asks for."""
    if not value:
        return None
    try:
        # `min` also turns away "nan" and keeps "1e400" finite.
        return min(max(0.0, float(value)), 1e9)
    except ValueError:
        then = http_date(value)
        return max(0.0, (then - now).total_seconds()) if then else None


def http_date(value: str | None) -> datetime | None:
    """Return the time in a header such as Date (RFC 9110), in UTC; None if there is none."""
    try:
        time = parsedate_to_datetime(value or "")
        return time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError, TypeError):
        return None


class Retries:
    """The retries of one request: after how many seconds each goes out, and when to give up.

    The number of attempts is limited; a CMS that answers 429 is waited for by the clock instead.
    """

    def __init__(self, connection: CmsConnection) -> None:
        self._connection = connection
        self._started = time.monotonic()
        self._attempts = 0

    def wait_seconds(self, failure: RequestFailure) -> float:
        """Return how long to wait after an attempt that failed; raises the failure to give up.

        Retry-After counts where it was given, up to a maximum; else the wait grows exponentially,
        with jitter.
        """
        self._attempts += 1
        if not failure.transient or self._is_over(failure):
            raise failure
        terms = self._connection
        doubled = terms.backoff_seconds * 2.0 ** min(self._attempts - 1, 30)
        jitter = random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, keeps no secret
        backoff = jitter * min(terms.backoff_max_seconds, doubled)
        if failure.retry_after is None:
            return backoff
        return min(failure.retry_after, terms.retry_after_max_seconds) + 0.1 * backoff

    def _is_over(self, failure: RequestFailure) -> bool:
        if failure.code == "rate_limited":
            waited = time.monotonic() - self._started
            return waited >= self._connection.rate_limit_patience_seconds
        return self._attempts >= self._connection.max_attempts


class RequestPace:
    """Says how long the next request to a host waits. Not thread-safe; no I/O, no sleeping.

    After a 429 all requests wait, and the gap between them doubles; each success shortens it
    again, down to the configured rate.
    """

    def __init__(
        self, requests_per_second: float | None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._now = now
        self._set_gap = 1.0 / requests_per_second if requests_per_second else 0.0
        self._gap = self._set_gap
        self._next = now()
        self._paused_until = self._next
        self._slowed_at = float("-inf")

    def wait_seconds(self) -> float:
        """Take the next turn and return the seconds until it comes."""
        now = self._now()
        turn = max(now, self._next, self._paused_until)
        self._next = turn + self._gap
        return turn - now

    def paused(self) -> bool:
        """Return whether a turn that was taken earlier has to be taken again."""
        return self._now() < self._paused_until

    def slow_down(self, seconds: float, turn_taken_at: float) -> None:
        """Pause all requests for `seconds` and widen the gap, as one was turned away.

        A request that took its turn before the last slowdown tells nothing new.
        """
        now = self._now()
        if turn_taken_at >= self._slowed_at:
            gap = max(self._gap * 2, self._set_gap, _FIRST_GAP_SECONDS)
            self._gap = min(gap, max(_MAX_GAP_SECONDS, self._set_gap))
            self._slowed_at = now
        self._paused_until = max(self._paused_until, now + seconds)

    def went_well(self) -> None:
        """Note an answer in time."""
        if self._gap > self._set_gap:
            shorter = self._gap * _QUICKER_BY
            self._gap = max(shorter if shorter > _FIRST_GAP_SECONDS / 2 else 0.0, self._set_gap)
