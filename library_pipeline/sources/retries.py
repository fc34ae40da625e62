"""When a request is made again, and after how long."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypedDict

import httpx
from tenacity import RetryCallState, retry_if_exception_type

from library_pipeline.catalog.errors import LibraryError
from library_pipeline.sources.connection import CmsConnection
from library_pipeline.sources.http_client import http_date

RATE_LIMITED = 429
_TRANSIENT_STATUS = frozenset({408, 425, RATE_LIMITED})


class TransientError(LibraryError):
    """A request failed in a way that may heal. `code`: timeout, unreachable, connection_lost,
    truncated, rate_limited or server_error; `retry_after` is in seconds.
    """

    def __init__(self, code: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(code, message, transient=True)
        self.retry_after = retry_after


def transport_failure(error: httpx.TransportError, *, in_body: bool) -> TransientError | None:
    """Return what a transport error means, or None where trying again cannot help."""
    match error:
        case httpx.TimeoutException():
            return TransientError("timeout", "no answer in time")
        case httpx.ConnectError():
            return TransientError("unreachable", f"no connection ({error})")
        case httpx.UnsupportedProtocol() | httpx.LocalProtocolError():
            return None
        case _ if in_body:
            return TransientError("truncated", "the answer ended before its end")
        case _:
            return TransientError("connection_lost", "the connection was closed without an answer")


def status_failure(
    status: int, headers: Mapping[str, str], now: datetime | None = None
) -> TransientError | None:
    """Return what a status means, or None where asking again would give the same."""
    if status not in _TRANSIENT_STATUS and status < httpx.codes.INTERNAL_SERVER_ERROR:
        return None
    code = "rate_limited" if status == RATE_LIMITED else "server_error"
    wait = retry_after_seconds(headers.get("retry-after"), now or datetime.now(UTC))
    return TransientError(code, f"the answer was {status}", wait)


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Return the seconds that Retry-After (RFC 9110: seconds, or a date) asks to wait."""
    if not value:
        return None
    try:
        # `min` also turns away "nan" and keeps "1e400" finite.
        return min(max(0.0, float(value)), 1e9)
    except ValueError:
        then = http_date(value)
        return max(0.0, (then - now).total_seconds()) if then else None


class RetryOptions(TypedDict):
    """The arguments that tenacity's `Retrying` and `AsyncRetrying` share."""

    retry: retry_if_exception_type
    stop: Stop
    wait: Wait
    reraise: bool


class Stop:
    """Give up after so many attempts; a CMS that says 429 is waited for by the clock instead."""

    def __init__(self, connection: CmsConnection) -> None:
        self._attempts = connection.max_attempts
        self._patience = connection.rate_limit_patience_seconds

    def __call__(self, state: RetryCallState) -> bool:
        """Return whether this was the last attempt."""
        if _error(state).code == "rate_limited":
            return (state.seconds_since_start or 0.0) >= self._patience
        return state.attempt_number >= self._attempts


class Wait:
    """Retry-After where one was given, up to a maximum; else exponential backoff with jitter."""

    def __init__(self, connection: CmsConnection) -> None:
        self._first = connection.backoff_seconds
        self._most = connection.backoff_max_seconds
        self._most_asked = connection.retry_after_max_seconds

    def __call__(self, state: RetryCallState) -> float:
        """Return the seconds until the next attempt."""
        jitter = random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, keeps no secret
        backoff = jitter * min(self._most, self._first * 2.0 ** min(state.attempt_number - 1, 30))
        asked = _error(state).retry_after
        return backoff if asked is None else min(asked, self._most_asked) + 0.1 * backoff


def retry_options(connection: CmsConnection) -> RetryOptions:
    """Return how requests of this connection are retried."""
    return RetryOptions(
        retry=retry_if_exception_type(TransientError),
        stop=Stop(connection),
        wait=Wait(connection),
        reraise=True,
    )


def _error(state: RetryCallState) -> TransientError:
    error = state.outcome.exception() if state.outcome else None
    return error if isinstance(error, TransientError) else TransientError("unknown", str(error))
