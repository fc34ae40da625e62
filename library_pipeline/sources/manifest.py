"""One page of a manifest, from bytes to components and problems. Pure: no I/O, no clock."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn, cast

from library_pipeline.catalog.component import Component
from library_pipeline.catalog.errors import LibraryError
from library_pipeline.sources.entry import UNSTORABLE, ManifestProblem, parse_entry, utc_time
from library_pipeline.sources.origins import AllowedOrigins
from library_pipeline.sources.wording import redacted, shorten

__all__ = ["ManifestError", "ManifestPage", "ManifestProblem", "PageSource", "parse_page"]

MAX_CURSOR_LENGTH = 4096
_MAX_DIGITS = 100


class ManifestError(LibraryError):
    """The whole manifest cannot be used; nothing may be concluded from it, no removal above all."""


@dataclass(frozen=True, slots=True)
class ManifestPage:
    """One page: its entries in order, and the cursor of the next page, None on the last.

    `total` is how many components the whole listing has, and `since` the time from which on the
    page lists updates only; None where the CMS does not say, or lists everything.
    """

    entries: tuple[Component | ManifestProblem, ...]
    next: str | None
    total: int | None = None
    since: datetime | None = None

    @property
    def components(self) -> tuple[Component, ...]:
        """The entries that can be used."""
        return tuple(entry for entry in self.entries if isinstance(entry, Component))

    @property
    def problems(self) -> tuple[ManifestProblem, ...]:
        """The entries that cannot."""
        return tuple(entry for entry in self.entries if isinstance(entry, ManifestProblem))


@dataclass(frozen=True, slots=True)
class PageSource:
    """Where a page's bytes came from, for messages."""

    url: str
    status: int = 200
    content_type: str = ""


def parse_page(
    data: bytes,
    origins: AllowedOrigins,
    where: PageSource,
    *,
    first_position: int = 0,
) -> ManifestPage:
    """Return the page in `data`, read at `where`; raises ManifestError when it is none.

    `first_position` counts the entries of earlier pages.
    """
    page = _json_object(data, where)
    listed = page.get("components")
    if not isinstance(listed, list):
        _unusable(where, data, "has no list 'components'")
    if "next" not in page:
        _unusable(where, data, "has no 'next' (the next page's cursor, null on the last page)")
    entries = tuple(
        parse_entry(raw, first_position + offset, origins)
        for offset, raw in enumerate(cast("list[object]", listed))
    )
    return ManifestPage(
        entries,
        _cursor(page["next"], where),
        _total(page.get("total"), where),
        _since(page.get("since"), where),
    )


def read_json(data: bytes, source: PageSource) -> Any:
    """Return the JSON in a page's bytes; raises ManifestError."""
    try:
        return json.loads(data, parse_int=_number, parse_constant=_no_number)
    except RecursionError:
        _unusable(source, data, "is nested too deeply")
    except ValueError:
        _unusable(source, data, "is not JSON")


def _json_object(data: bytes, source: PageSource) -> dict[str, Any]:
    page = read_json(data, source)
    if not isinstance(page, dict):
        _unusable(source, data, "is not a JSON object")
    return page


def _no_number(_: str) -> None:
    """Return null for NaN and Infinity, which Python writes and JSON does not have."""


def _number(digits: str) -> int | str:
    # Python refuses very long numbers with an error that would take the whole page along.
    return int(digits) if len(digits) <= _MAX_DIGITS else digits


def _unusable(source: PageSource, data: bytes, what: str) -> NoReturn:
    raise ManifestError(
        "manifest.unusable",
        f"the manifest at {redacted(source.url)} {what}: it answered {source.status} with "
        f"{shorten(source.content_type or 'no content type')}, beginning {data[:80]!r}; "
        "docs/cms.md says what a page looks like",
    )


def _cursor(value: object, source: PageSource) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value or len(value) > MAX_CURSOR_LENGTH:
        _unusable(source, b"", f"has the cursor {shorten(value)} as 'next', not text or null")
    if UNSTORABLE.search(value):
        _unusable(source, b"", f"has the cursor {shorten(value)} as 'next', which no URL can hold")
    return value


def _total(value: object, source: PageSource) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        _unusable(source, b"", f"has the 'total' {shorten(value)}, not a number of components")
    return value


def _since(value: object, source: PageSource) -> datetime | None:
    time = utc_time(value)
    if time is None and value is not None:
        what = f"has the 'since' {shorten(value)}, not a time like 2026-01-31T12:00:00Z"
        _unusable(source, b"", what)
    return time
