"""The files of one source, from wherever it keeps them: a server, a local folder, its listing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self

from library_pipeline.bundles.file_client import Download, FileClient, FileError, too_large
from library_pipeline.catalog.component import FileKind
from library_pipeline.sources.body import TooLarge
from library_pipeline.sources.connection import ByteLimits
from library_pipeline.sources.inline import data_in, is_data_url
from library_pipeline.sources.local.files import read_local
from library_pipeline.sources.origins import UrlRefused
from library_pipeline.sources.source import Source


class SourceFiles:
    """Gets files of one source; `async with` it, in one event loop."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._client = FileClient(source.connection) if source.connection else None
        self._limits = source.connection.limits if source.connection else ByteLimits()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._client:
            await self._client.__aexit__(kind, error, traceback)

    async def get(self, url: str, kind: FileKind) -> Download:
        """Return the file at `url`; raises FileError."""
        limit = self._limits.of(kind)
        if is_data_url(url):
            return _listed(url, limit)
        if self._source.folder and url.startswith("file:"):
            return await asyncio.to_thread(self._local, url, self._source.folder, limit)
        if self._client is None:
            message = f"the source {self._source.name} has no files on other hosts"
            raise FileError("foreign_origin", message)
        if self._source.no_secret:  # what anybody would get may not be what it lists
            raise FileError("no_secret", self._source.no_secret, transient=True)
        return await self._client.get(url, limit)

    def _local(self, url: str, folder: Path, limit: int) -> Download:
        try:
            data = read_local(url, folder, limit)
        except UrlRefused as refused:
            raise FileError(refused.code, str(refused)) from refused
        except FileNotFoundError:
            raise FileError("not_found", "there is no such file") from None
        except TooLarge:
            raise too_large(limit) from None
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise FileError("unreadable", f"it cannot be read: {reason}", transient=True) from error
        return Download(data, 0)


def _listed(url: str, limit: int) -> Download:
    try:
        data = data_in(url)
    except ValueError as error:
        raise FileError("bad_url", str(error)) from None
    if len(data) > limit:
        raise too_large(limit)
    return Download(data, 0)
