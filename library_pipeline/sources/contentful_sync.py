"""Contentful's sync API: whether anything in a space has changed since a token was handed out.

See https://www.contentful.com/developers/docs/references/content-delivery-api/#/reference/synchronization.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NoReturn, cast
from urllib.parse import parse_qs, urlencode, urlsplit

from library_pipeline.settings.sources import SourceSettings
from library_pipeline.sources.connection import CmsConnection
from library_pipeline.sources.entry import UNSTORABLE, utc_time
from library_pipeline.sources.http_client import http_date
from library_pipeline.sources.manifest import MAX_CURSOR_LENGTH, ManifestError
from library_pipeline.sources.origins import UrlRefused, describe_refusal, origin_of
from library_pipeline.sources.reader import Answer, PageReader
from library_pipeline.sources.walk import page_json
from library_pipeline.sources.wording import redacted

# What is said to a token alone: the key's own refusals are 401 and 403.
_REFUSED: Final = frozenset(f"manifest.status_{status}" for status in (400, 404, 410, 422))
_MOST_A_PAGE: Final = 100
# A publication may reach caches of the delivery API later than it is listed here.
_SETTLES: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync listed: how many entries, assets and deletions, and the token for what follows.

    With `recent`, one of them is so new that other answers of Contentful may not have it yet.
    """

    token: str
    items: int
    recent: bool


@dataclass(frozen=True, slots=True)
class _Page:
    """One page; `token` asks for the next one, or on the `last` for what changes later."""

    token: str
    last: bool
    items: int
    recent: bool


class SpaceSync:
    """Asks for the sync of the space and environment whose entries a source lists.

    Of the URLs that Contentful hands out only the token is taken; what it lists is only counted.
    """

    def __init__(
        self, settings: SourceSettings, connection: CmsConnection, reader: PageReader
    ) -> None:
        self._connection, self._reader = connection, reader
        self._most = settings.max_items
        self._url = f"{(settings.url or '').rstrip('/').removesuffix('entries')}sync"
        size = min(settings.page_size or _MOST_A_PAGE, _MOST_A_PAGE)
        self._initial = {"initial": "true", "limit": str(size)}

    def whole(self) -> Synced:
        """Return the token of now, for which all of the space is listed; raises ManifestError."""
        try:
            return self._walk(self._initial)
        except ManifestError as error:
            raise self._explained(error) from error

    def since(self, token: str) -> Synced | None:
        """Return what has changed since `token`, None if it has expired; raises ManifestError."""
        try:
            return self._walk({"sync_token": token})
        except ManifestError as error:
            if error.code in _REFUSED:
                return None
            raise

    def try_once(self) -> None:
        """Ask for the first page of the whole; raises ManifestError if there is no sync to use."""
        try:
            next(self._pages(self._initial))
        except ManifestError as error:
            raise self._explained(error) from error

    def _walk(self, query: Mapping[str, str]) -> Synced:
        items, recent = 0, False
        for page in self._pages(query):
            items += page.items
            recent = recent or page.recent
            if items > self._most:
                key = self._connection.key
                raise ManifestError(
                    "manifest.too_many",
                    f"the sync at {self._url} lists more than {self._most:,} entries and assets "
                    f"of the whole space; raise {key}.max_items, or take {key}.changes away",
                )
            if page.last:
                return Synced(page.token, items, recent)
        raise self._endless(f"has more than {self._connection.max_pages} pages")

    def _pages(self, query: Mapping[str, str]) -> Iterator[_Page]:
        tokens: set[str] = set()
        for _ in range(self._connection.max_pages):
            page = self._page(self._reader.get(f"{self._url}?{urlencode(query)}"))
            yield page
            if page.token in tokens:
                raise self._endless("names a page a second time")
            tokens.add(page.token)
            query = {"sync_token": page.token}

    def _page(self, answer: Answer) -> _Page:
        page = page_json(answer)
        if not isinstance(page, dict):
            self._unusable("is not a JSON object")
        keys = cast("dict[str, Any]", page)
        listed = keys.get("items")
        if not isinstance(listed, list):
            self._unusable("has no list 'items'")
        items = cast("list[object]", listed)
        following = keys.get("nextPageUrl")
        last = not following
        token = self._token_in(keys.get("nextSyncUrl") if last else following)
        since = _now(answer)
        recent = any(_is_recent(item, since) for item in items)
        return _Page(token, last, len(items), recent)

    def _token_in(self, url: object) -> str:
        """Return the token in a URL that Contentful handed out, of the source's own origin."""
        if not isinstance(url, str) or not url:
            self._unusable("has neither a nextPageUrl nor a nextSyncUrl")
        try:
            origin = origin_of(url)
        except UrlRefused as refused:
            message = f"the sync goes on at {describe_refusal(url, refused)}"
            raise ManifestError(f"manifest.{refused.code}", message) from refused
        own = self._connection.origins.cms
        if origin != own:
            message = f"the sync goes on at {redacted(url)}, which is not at the source's own {own}"
            raise ManifestError("manifest.foreign_origin", message)
        (token, *_) = parse_qs(urlsplit(url).query).get("sync_token") or [""]
        if not token or len(token) > MAX_CURSOR_LENGTH or UNSTORABLE.search(token):
            self._unusable("goes on at a URL without a usable sync_token")
        return token

    def _explained(self, error: ManifestError) -> ManifestError:
        if error.code not in _REFUSED:
            return error
        key = self._connection.key
        message = f"{error.message}; without a sync API to be had, take {key}.changes away"
        return ManifestError(error.code, message)

    def _unusable(self, what: str) -> NoReturn:
        raise ManifestError("manifest.unusable", f"the sync at {self._url} {what}")

    def _endless(self, what: str) -> ManifestError:
        return ManifestError("manifest.endless", f"the sync at {self._url} {what}; it has no end")


def _now(answer: Answer) -> datetime | None:
    """Return the time by Contentful's clock; a cache says how long it has kept an answer."""
    date = http_date(answer.headers.get("date"))
    age = answer.headers.get("age", "0")
    kept = int(age[:9]) if age.isascii() and age.isdigit() else 0
    return date and date + timedelta(seconds=kept)


def _is_recent(item: object, now: datetime | None) -> bool:
    system = cast("dict[str, Any]", item).get("sys") if isinstance(item, dict) else None
    times = cast("dict[str, Any]", system) if isinstance(system, dict) else {}
    time = utc_time(times.get("deletedAt") or times.get("updatedAt"))
    # What cannot be told counts as recent: that is looked at once more, and no oftener.
    return time is None or now is None or time > now - _SETTLES
