"""The manifest's query: `limit`, `cursor` and `updated_since`, and the page they ask for."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from library_pipeline.sample_cms.folder import BundleItem, Listing

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000


class BadQuery(ValueError):
    """A query parameter cannot be used; the message names it and its value."""


@dataclass(frozen=True, slots=True)
class Query:
    """One page's worth: `limit` items with an id greater than `after`."""

    limit: int = DEFAULT_LIMIT
    after: str | None = None
    updated_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Items, the cursor of the next page, None after the last, and the `updated_since` honoured."""

    items: tuple[BundleItem, ...]
    next: str | None
    since: datetime | None


def read_query(parameters: Mapping[str, str]) -> Query:
    """Return the query in a URL's parameters; raises BadQuery."""
    return Query(
        limit=_limit(parameters.get("limit")),
        after=_after(parameters.get("cursor")),
        updated_since=_time(parameters.get("updated_since")),
    )


def page_of(listing: Listing, query: Query, *, shift: int = 0) -> Page:
    """Return a page of the listing.

    A page starts after an id, not at an offset, so no edit elsewhere ever shifts it; `shift` has
    all but the first begin so many entries later, as if one had. What changed before the CMS was
    started it does not know; asked for that, it lists everything.
    """
    since = query.updated_since
    if since and since < listing.began:
        since = None
    items = listing.items
    if since:
        items = tuple(item for item in items if item.updated_at >= since)
    start = 0
    if query.after is not None:
        start = bisect_right(items, query.after, key=_id) + shift
    page = items[start : start + query.limit]
    more = start + query.limit < len(items)
    return Page(page, cursor_after(page[-1].id) if more else None, since)


def cursor_after(component_id: str) -> str:
    """Return the cursor of the page that starts behind `component_id`."""
    return base64.urlsafe_b64encode(component_id.encode()).decode()


def _id(item: BundleItem) -> str:
    return item.id


def _limit(value: str | None) -> int:
    if value is None:
        return DEFAULT_LIMIT
    if not (value.isascii() and value.isdigit() and 1 <= int(value[:9]) <= MAX_LIMIT):
        raise BadQuery(f"limit={value[:40]!r} is not a number from 1 to {MAX_LIMIT}")
    return int(value)


def _after(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    try:
        return base64.b64decode(cursor, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise BadQuery(f"cursor={cursor[:40]!r} is not one that a page's `next` gave") from None


def _time(value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise BadQuery(
            f"updated_since={value[:40]!r} is not an ISO 8601 time like 2026-01-31T12:00:00Z"
        ) from None
    return time.replace(tzinfo=time.tzinfo or UTC)
