"""What every source of components is to the rest of the program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from library_pipeline.sources.connection import CmsConnection
from library_pipeline.sources.manifest import ManifestError, ManifestPage

CONCURRENCY: Final = 8  # where no server sets it


class NotModified(Exception):
    """The source lists what it listed when the given ETag was current: there is nothing to read."""


class ListingShifted(ManifestError):
    """Items moved from page to page while the listing was read: it has to be read anew."""

    def __init__(self, what: str) -> None:
        message = f"{what}: it changed while it was read; the next refresh reads it anew"
        super().__init__("manifest.shifted", message, transient=True)


@dataclass(frozen=True, slots=True)
class Poll:
    """What a poll found; true when the source changed."""

    not_modified: bool
    etag: str | None

    def __bool__(self) -> bool:
        return not self.not_modified


class OpenSource(Protocol):
    """A source being read. Not thread-safe.

    `etag` and `read_at` are those of the listing read last: what tells whether it has changed, and
    when it was read by the source's own clock; None where it has neither.
    """

    etag: str | None
    read_at: datetime | None

    def changed(self, etag: str | None) -> Poll:
        """Say, as cheaply as the source allows, whether it still lists what it did at `etag`."""
        ...

    def pages(
        self, etag: str | None = None, updated_since: datetime | None = None
    ) -> Iterator[ManifestPage]:
        """Yield the listing, entry by entry checked; raises NotModified first, or ManifestError.

        With `updated_since`, pages whose `since` is not None list only what was updated at or
        after that. What was yielded before an error must not be taken for the whole. Ids come
        with the source's prefix.
        """
        ...


@dataclass(frozen=True, slots=True)
class Source:
    """A configured source: how to open it, and how the files that it lists may be had.

    `identity` says what is listed: a manifest read under another one has to be read whole.
    `connection` is how files are asked for over HTTP, `folder` below what local ones must lie;
    None: the source has no such files. `no_secret` says why its credentials cannot be had, so that
    it cannot be opened, nor asked for files; None where they can, or none are needed.
    """

    name: str
    identity: str
    open: Callable[[], AbstractContextManager[OpenSource]]
    connection: CmsConnection | None = None
    folder: Path | None = None
    no_secret: str | None = None

    @property
    def concurrency(self) -> int:
        """How many files of one host, or of the folder, may be asked for at once."""
        return self.connection.concurrency if self.connection else CONCURRENCY
