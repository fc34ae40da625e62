"""What all HTTP clients here share: certificates, errors, dates, and what may be logged."""

from __future__ import annotations

import functools
import logging
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpcore
import httpx

TRANSPORT_ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Return the one TLS context: reading the certificates takes longer than many a request."""
    return httpx.create_ssl_context()


def as_httpx(error: Exception) -> httpx.TransportError:
    """Return one of TRANSPORT_ERRORS as httpx's error of the same name."""
    kind = getattr(httpx, type(error).__name__, httpx.TransportError)
    return kind(str(error))


def keep_urls_out_of_logs() -> None:
    """Silence httpx's line per request unless a level was set: it shows signed URLs in full."""
    logger = logging.getLogger("httpx")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.WARNING)


def iso_time(time: datetime) -> str:
    """Return a time as a query has it (ISO 8601), in UTC where it names no zone."""
    aware = time.replace(tzinfo=time.tzinfo or UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


def http_date(value: str | None) -> datetime | None:
    """Return the time in a header such as Date (RFC 9110), in UTC; None if there is none."""
    try:
        time = parsedate_to_datetime(value or "")
        return time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError, TypeError):
        return None
