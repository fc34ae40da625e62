"""What every local source is once it has been looked at: an ETag, and entries read on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from library_pipeline.catalog.component import Component
from library_pipeline.settings.sources import SourceSettings
from library_pipeline.sources.entry import MAX_TEXT_LENGTH, ManifestProblem
from library_pipeline.sources.manifest import ManifestError, ManifestPage
from library_pipeline.sources.source import NotModified, Poll
from library_pipeline.sources.wording import shorten

PAGE_SIZE: Final = 500

Entry = Component | ManifestProblem


@dataclass(frozen=True, slots=True)
class Listing:
    """A source at one moment: what tells it from any other moment, and how its entries are read."""

    etag: str
    entries: Callable[[], Iterator[Entry]]


class LocalSource:
    """Reads what `look` finds; fulfils OpenSource. No clock but the machine's, so no `read_at`."""

    def __init__(self, settings: SourceSettings, look: Callable[[], Listing]) -> None:
        self._settings = settings
        self._look = look
        self.etag: str | None = None
        self.read_at: datetime | None = None

    def changed(self, etag: str | None) -> Poll:
        """Say whether it differs from what it was at `etag`; no file is opened."""
        found = self._look().etag
        return Poll(found == etag, found)

    def pages(
        self, etag: str | None = None, updated_since: datetime | None = None
    ) -> Iterator[ManifestPage]:
        """Yield the listing, always whole; raises NotModified first, or ManifestError."""
        listing = self._look()
        if listing.etag == etag:
            raise NotModified
        # From before any file is read: what changes meanwhile is a change at the next poll.
        self.etag = listing.etag
        yield from in_pages(listing.entries(), self._settings)


def in_pages(entries: Iterable[Entry], settings: SourceSettings) -> Iterator[ManifestPage]:
    """Yield entries in pages of `page_size`; raises ManifestError beyond `max_items`."""
    remaining = iter(entries)
    read = 0
    while page := tuple(islice(remaining, settings.page_size or PAGE_SIZE)):
        read += len(page)
        if read > settings.max_items:
            raise too_many(settings)
        yield ManifestPage(page, next=None)


def too_many(settings: SourceSettings) -> ManifestError:
    """Return what to say of a source with more entries than it may have."""
    return ManifestError(
        "manifest.too_many",
        f"source {settings.name} lists more than {settings.max_items:,} items; "
        "raise its max_items if that is meant",
    )


def problem(position: int, where: str, code: str, why: str) -> ManifestProblem:
    """Return what to say of a file or line out of which no entry can be made.

    Which component it belongs to is not known, so nothing that the source lacks may be removed.
    """
    shown = shorten(where)
    message = f"component without id (entry {position}): {shown}: {why}"
    return ManifestProblem(position, None, "", shown, f"manifest.{code}", message)


def reason(error: OSError) -> str:
    """Return what the system says of a file, without its path."""
    return error.strerror or type(error).__name__


def as_text(path: str) -> str:
    """Return a path as it may be stored: without bytes that are no text, and not too long."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return text if len(text) <= MAX_TEXT_LENGTH else "..." + text[3 - MAX_TEXT_LENGTH :]


def as_time(nanoseconds: int) -> datetime | None:
    """Return a file's time in UTC, None for one beyond the years 1 to 9999."""
    try:
        return datetime.fromtimestamp(nanoseconds / 1e9, UTC)
    except (ValueError, OverflowError, OSError):
        return None
