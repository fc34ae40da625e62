"""A listing of Contentful's that is read when the space's sync says that something changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from time import sleep as wait
from typing import Final

from library_pipeline.settings.sources import SourceSettings
from library_pipeline.sources.connection import CmsConnection
from library_pipeline.sources.contentful_sync import SpaceSync, Synced
from library_pipeline.sources.listing import MakeMapping, MappedListing
from library_pipeline.sources.manifest import ManifestPage
from library_pipeline.sources.mapping import ItemMapping
from library_pipeline.sources.source import NotModified, Poll

_SETTLED: Final = "contentful-sync:"
_UNSETTLED: Final = "contentful-sync-again:"


class SyncedListing(AbstractContextManager["SyncedListing"]):
    """Reads a listing whose `etag` is the sync token of just before; see `OpenSource`.

    What was published within the last minute may be missing from a listing that caches answer.
    The token then is a mark to read the listing once more, changed or not. Not thread-safe.
    """

    read_at: datetime | None = None  # there are no updates to ask for

    def __init__(
        self,
        settings: SourceSettings,
        connection: CmsConnection,
        *,
        sleep: Callable[[float], None] = wait,
        mapping: MakeMapping = ItemMapping,
    ) -> None:
        self.listing = MappedListing(settings, connection, sleep=sleep, mapping=mapping)
        self.sync = SpaceSync(settings, connection, self.listing.reader)
        self.etag: str | None = None

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.listing.__exit__()

    def changed(self, etag: str | None) -> Poll:
        """Follow the token; without one that is good, only see whether there is one to be had."""
        found = self._since(etag)
        if found is None:
            return Poll(False, _etag(self.sync.whole()))
        return Poll(_says_nothing(found, etag), _etag(found))

    def pages(
        self, etag: str | None = None, updated_since: datetime | None = None
    ) -> Iterator[ManifestPage]:
        """Yield the whole listing unless nothing has changed; there are no updates by time."""
        found = self._since(etag)
        if found and _says_nothing(found, etag):
            raise NotModified
        # Taken before the listing is, so that the next poll sees what changes meanwhile.
        found = found or self.sync.whole()
        self.etag = None
        yield from self.listing.pages()
        self.etag = _etag(found)

    def _since(self, etag: str | None) -> Synced | None:
        mark, colon, token = (etag or "").partition(":")
        known = mark + colon in (_SETTLED, _UNSETTLED)
        return self.sync.since(token) if known and token else None


def _says_nothing(found: Synced, etag: str | None) -> bool:
    return found.items == 0 and (etag or "").startswith(_SETTLED)


def _etag(found: Synced) -> str:
    return (_UNSETTLED if found.recent else _SETTLED) + found.token
