"""What all HTTP clients here share: certificates, and what may be logged."""

from __future__ import annotations

import functools
import logging
import ssl

import httpx


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Return the one TLS context: reading the certificates takes longer than many a request."""
    return httpx.create_ssl_context()


def keep_urls_out_of_logs() -> None:
    """Silence httpx's line per request unless a level was set: it shows signed URLs in full."""
    logger = logging.getLogger("httpx")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.WARNING)
