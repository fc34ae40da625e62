"""The next page: how each style of paging asks for it, and when there is none. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import httpx

from library_pipeline.catalog.errors import ManifestError
from library_pipeline.settings.fields import HEADER
from library_pipeline.settings.source_keys import PagingSettings
from library_pipeline.sources.expressions import ExpressionFailed, getter
from library_pipeline.sources.manifest_page import MAX_CURSOR_LENGTH
from library_pipeline.sources.text import shorten


@dataclass(frozen=True, slots=True)
class PageFacts:
    """The facts of a page that tell where the next one is; `items` counts its own items."""

    url: str
    headers: httpx.Headers
    json: object
    items: int


class Paging:
    """Names the pages of one listing once: the `first`, then the one `after` each page.

    With `overlaps` every page but the first begins with the last item of the page before, which
    shows whether the listing shifts meanwhile.
    """

    def __init__(
        self, settings: PagingSettings, url: str, query: Mapping[str, str], size: int | None
    ) -> None:
        self._settings = settings
        self._url = with_query(url, query)
        if settings.size_param and size:
            self._url = with_query(self._url, {settings.size_param: str(size)})
        self._position = settings.first
        self._seen: set[str] = set()
        self.overlaps = settings.style == "offset" and size is not None and size > 1
        self.counts = settings.style in ("offset", "page")

    def first(self) -> str:
        """Return the URL of the first page."""
        counted = self.counts and self._settings.param
        return self._counted(self._position) if counted else self._url

    def after(self, page: PageFacts, total: int | None, read: int) -> str | None:
        """Return the URL of the next page, None after the last; `read` counts the items so far.

        Raises ManifestError if the listing names a page again.
        """
        match self._settings.style:
            case "none":
                return None
            case "cursor":
                return self._unseen(self._cursor_url(page))
            case "next_url":
                return self._unseen(self._found_url(page))
            case "link":
                return self._unseen(_link(page))
            case "offset" | "page":
                return self._next_counted(page, total, read)

    def total(self, page: PageFacts) -> int | None:
        """Return how many items the page says the whole listing has."""
        where = self._settings.total
        if not where:
            return None
        if where.startswith(HEADER):
            value: object = page.headers.get(where.removeprefix(HEADER).strip())
        else:
            value = _find(where, page)
        if isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value[:18])
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise ManifestError(
                "manifest.unusable", f"paging.total ({where}) is {shorten(value)}, not a number"
            )
        return value

    def _next_counted(self, page: PageFacts, total: int | None, read: int) -> str | None:
        if page.items == 0 or (total is not None and read >= total):
            return None
        if self._settings.style == "page":
            self._position += 1
            return self._counted(self._position)
        return self._counted(self._settings.first + read - self.overlaps)

    def _counted(self, position: int) -> str:
        return with_query(self._url, {self._settings.param or self._settings.style: str(position)})

    def _cursor_url(self, page: PageFacts) -> str | None:
        value = self._next(page)
        if value is None:
            return None
        if not isinstance(value, str | int) or len(str(value)) > MAX_CURSOR_LENGTH:
            raise ManifestError(
                "manifest.unusable", f"paging.next finds {shorten(value)}, which is no cursor"
            )
        return with_query(self._url, {self._settings.param or "cursor": str(value)})

    def _next(self, page: PageFacts) -> object:
        """Return what the page says about the next one, None if it says nothing."""
        value = _find(self._settings.next or "next", page)
        return None if value is False or value == "" else value

    def _found_url(self, page: PageFacts) -> str | None:
        value = self._next(page)
        if value is None:
            return None
        if not isinstance(value, str):
            raise ManifestError(
                "manifest.unusable", f"paging.next finds {shorten(value)}, which is no URL"
            )
        return _joined(page.url, value)

    def _unseen(self, url: str | None) -> str | None:
        if url is not None and url in self._seen:
            raise ManifestError(
                "manifest.endless", "the listing names a page a second time; it has no end"
            )
        if url is not None:
            self._seen.add(url)
        return url


def with_query(url: str, query: Mapping[str, str]) -> str:
    """Return `url` with keys of its query set."""
    if not query:
        return url
    parts = urlsplit(url)
    kept = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in query]
    return urlunsplit(parts._replace(query=urlencode([*kept, *query.items()])))


def _find(expression: str, page: PageFacts) -> object:
    try:
        return getter(expression)(page.json)
    except ExpressionFailed as failed:
        raise ManifestError("manifest.unusable", f"paging: {failed}") from None


def _link(page: PageFacts) -> str | None:
    """Return the URL of `Link: <...>; rel="next"` (RFC 8288)."""
    response = httpx.Response(200, headers=page.headers)
    links = cast("dict[str, dict[str, str]]", response.links)
    url = links.get("next", {}).get("url")
    return _joined(page.url, url) if url else None


def _joined(base: str, url: str) -> str:
    try:
        return urljoin(base, url)
    except ValueError:
        problem = f"the next page's URL {shorten(url)} is no valid URL"
        raise ManifestError("manifest.unusable", problem) from None
