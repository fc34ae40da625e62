"""Markdown for Dagster's UI: pictures in data: URLs, texts and links that stay what they are."""

from __future__ import annotations

import base64
import re
from urllib.parse import urlencode

# Every ASCII punctuation character may be escaped; a hyphen means something at the start only:
# https://spec.commonmark.org/0.31.2/#backslash-escapes
_PUNCTUATION = re.compile(r"(^-|[!-,./:-@\[-`{-~])")


def plain(text: str) -> str:
    """Return `text` so that Markdown shows it as it is, on one line, and makes nothing of it."""
    return _PUNCTUATION.sub(r"\\\1", " ".join(text.split()))


def picture(label: str, webp: bytes) -> str:
    """Return a picture, with a `label` for those who do not see it."""
    return f"![{plain(label)}](data:image/webp;base64,{base64.b64encode(webp).decode()})"


def link(text: str, url: str | None) -> str:
    """Return a link, or just its text where there is no `url` to lead to."""
    return f"[{plain(text)}]({url})" if url else plain(text)


def component_page(web_url: str | None, component_id: str) -> str | None:
    """Return where the service shows a component, if there is one; as a query any id is safe."""
    return f"{web_url}/components/?{urlencode({'id': component_id})}" if web_url else None


def refresh_page(web_url: str | None, refresh_id: str) -> str | None:
    """Return where the service shows a refresh, if there is one."""
    return f"{web_url}/refreshes/{refresh_id}" if web_url else None
