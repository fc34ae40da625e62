"""What the HTTP client may write to the log."""

from __future__ import annotations

import logging


def keep_urls_out_of_logs() -> None:
    """Silence httpx's line per request unless a level was set: it shows signed URLs in full."""
    logger = logging.getLogger("httpx")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.WARNING)
