"""The interface of every source of components."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from library_pipeline.catalog.errors import ManifestError
from library_pipeline.sources.http.connection import CmsConnection
from library_pipeline.sources.manifest_page import ManifestPage

CONCURRENCY: Final = 8  # for a source without a server


class NotModified(Exception):
    """The listing is the same as when the given ETag was current: there is nothing to read."""


class ListingShifted(ManifestError):
    """Items moved from page to page during the reading: the listing has to be read again."""

    def __init__(self, what: str) -> None:
        message = f"{what}: it changed while it was read; the next refresh reads it again"
        super().__init__("manifest.shifted", message, transient=True)


@dataclass(frozen=True, slots=True)
class Poll:
    """The result of a poll; true if the source has changed."""

    not_modified: bool
    etag: str | None

    def __bool__(self) -> bool:
        return not self.not_modified


class OpenSource(Protocol):
    """A source being read. Not thread-safe.

    `etag` and `read_at` belong to the listing read last: the one changes with the listing, the
    other is the time of the reading by the source's own clock. Each is None if a source has none.
    """

    etag: str | None
    read_at: datetime | None

    def changed(self, etag: str | None) -> Poll:
        """Return, as cheaply as the source allows, whether its listing has changed since `etag`."""
        ...

    def pages(
        self, etag: str | None = None, updated_since: datetime | None = None
    ) -> Iterator[ManifestPage]:
        """Yield the listing with each entry checked; raises NotModified first, or ManifestError.

        With `updated_since`, pages whose `since` is not None list only updates from that time
        on. Pages that come before an error are not the whole listing. Ids begin with the source's
        prefix.
        """
        ...


@dataclass(frozen=True, slots=True)
class Source:
    """A configured source: how to open it, and where its files are.

    `identity` names the listing: if it changes, the manifest has to be read whole. `connection`
    asks for files over HTTP, `folder` holds the local ones; None if the source has no such files.
    `no_secret` is the reason why the credentials are missing, so that the source can neither be
    opened nor asked for files; else None.
    """

    name: str
    identity: str
    open: Callable[[], AbstractContextManager[OpenSource]]
    connection: CmsConnection | None = None
    folder: Path | None = None
    no_secret: str | None = None

    @property
    def concurrency(self) -> int:
        """How many files of one host, or of the folder, may be read at once."""
        return self.connection.concurrency if self.connection else CONCURRENCY
