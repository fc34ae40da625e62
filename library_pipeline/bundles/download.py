"""Components' files, from their sources into the bundle store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from library_pipeline.bundles.keeper import BundleFile, Keeper, download_error, not_kept
from library_pipeline.bundles.store import BundleError, BundleStore
from library_pipeline.catalog.component import FILE_KINDS, Bundle, Component, FileKind, StoredFile
from library_pipeline.catalog.errors import ComponentError, LibraryError
from library_pipeline.sources.http.client import Client
from library_pipeline.sources.http.connection import ByteLimits, CmsConnection
from library_pipeline.sources.http.retry import RATE_LIMITED, RequestFailure
from library_pipeline.sources.http.rules import UrlRefused
from library_pipeline.sources.inline import data_in, is_data_url
from library_pipeline.sources.local.files import TooLarge, read_local
from library_pipeline.sources.source import Source
from library_pipeline.sources.text import reason


class FileError(LibraryError):
    """A file cannot be had from its source."""


@dataclass(frozen=True, slots=True)
class Download:
    """A file's bytes, and how many bytes came over the wire for it."""

    data: bytes
    received: int


@dataclass(frozen=True, slots=True)
class FetchedBundle:
    """A component's bundle, now in the store, and what the download took."""

    bundle: Bundle
    screenshot: bytes
    downloaded_bytes: int
    milliseconds: float


class SourceFiles(AbstractAsyncContextManager["SourceFiles"]):
    """Gets files of one source: from a server, a local folder, or the listing itself.

    Use it as `async with`, in one event loop.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._client = Client(source.connection) if source.connection else None
        self._limits = source.connection.limits if source.connection else ByteLimits()

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        if self._client:
            await self._client.__aexit__()

    async def get(self, url: str, kind: FileKind) -> Download:
        """Return the file at `url`; raises FileError."""
        limit = self._limits.of(kind)
        try:
            if is_data_url(url):
                return _inline(url, limit)
            if self._source.folder and url.startswith("file:"):
                data = await asyncio.to_thread(_local, url, self._source.folder, limit)
                return Download(data, 0)
            return await self._remote(url, limit)
        except UrlRefused as refused:
            raise FileError(refused.code, str(refused)) from refused
        except TooLarge:
            message = f"it is larger than {limit:,} bytes; make it smaller or raise the limit"
            raise FileError("too_large", message) from None

    async def _remote(self, url: str, limit: int) -> Download:
        connection, client = self._source.connection, self._client
        if connection is None or client is None:
            message = f"the source {self._source.name} has no files on other hosts"
            raise FileError("foreign_origin", message)
        if self._source.no_secret:  # without its secret a CMS may answer with another file
            raise FileError("no_secret", self._source.no_secret, transient=True)
        try:
            answer = await client.get(url, limit)
        except RequestFailure as failure:
            if failure.code == "too_large":
                raise TooLarge from failure
            raise _file_error(connection, failure) from failure
        return Download(answer.body, answer.received)


class BundleDownloader(AbstractAsyncContextManager["BundleDownloader"]):
    """Fetches components' files; safe for many components at once.

    Use it as `async with`, in one event loop.
    """

    def __init__(self, sources: Sequence[Source], store: BundleStore) -> None:
        self._sources = sources
        self._store = store
        self._keeper = Keeper(store)
        self._files: dict[str, SourceFiles] | None = None

    async def __aenter__(self) -> BundleDownloader:
        self._files = {source.name: SourceFiles(source) for source in self._sources}
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        files, self._files = self._files or {}, None
        for each in files.values():
            await each.__aexit__()

    async def fetch(
        self, component: Component, *, force: bool = False, verify: bool = False
    ) -> FetchedBundle:
        """Return the component's bundle; download the files that the store does not have.

        `verify` reads the stored files and downloads the damaged ones again; `force` downloads
        everything and replaces the stored files. Raises ComponentError.
        """
        started = time.perf_counter()
        # Every file is waited for: to cancel the others would cost their connections.
        results = await asyncio.gather(
            *(self._find(component, kind, force, verify) for kind in FILE_KINDS),
            return_exceptions=True,
        )
        found = _all_found(results)
        files = await self._keeper.keep(component, found)
        return FetchedBundle(
            Bundle(component.component_id, component.revision, files),
            screenshot=found[FILE_KINDS.index("screenshot")].data,
            downloaded_bytes=sum(file.received for file in found),
            milliseconds=(time.perf_counter() - started) * 1000,
        )

    async def _find(
        self, component: Component, kind: FileKind, force: bool, verify: bool
    ) -> BundleFile:
        sha256 = component.files[kind].sha256
        if force or sha256 is None:
            return await self._download(component, kind, replace=force)
        try:
            if stored := await self._stored(sha256):
                # Only the screenshot's bytes are needed.
                read = kind == "screenshot" or verify
                data = await asyncio.to_thread(self._store.get, sha256) if read else b""
                return BundleFile(kind, data, stored)
        except BundleError as error:
            if error.code not in {"bundle.corrupt", "bundle.missing"}:
                raise not_kept(component, kind, error) from error
            return await self._download(component, kind, replace=True)
        return await self._download(component, kind)

    async def _stored(self, sha256: str) -> StoredFile | None:
        if self._store.local:
            return self._store.find(sha256)
        return await asyncio.to_thread(self._store.find, sha256)

    async def _download(
        self, component: Component, kind: FileKind, *, replace: bool = False
    ) -> BundleFile:
        if self._files is None:
            raise RuntimeError("a BundleDownloader works inside `async with`")
        source = self._files.get(component.source)
        if source is None:
            why = (
                f"its source {component.source} is not configured; a refresh takes it off the list"
            )
            raise download_error(component, kind, "no_source", why)
        try:
            download = await source.get(component.files[kind].url, kind)
        except FileError as error:
            raise download_error(
                component, kind, error.code, error.message, transient=error.transient
            ) from error
        return BundleFile(kind, download.data, received=download.received, replace=replace)


def _all_found(results: Sequence[BundleFile | BaseException]) -> list[BundleFile]:
    """Return the files, or raise the error that matters most: a lasting one before others."""
    errors = [result for result in results if isinstance(result, BaseException)]
    if errors:
        lasting = (e for e in errors if not (isinstance(e, ComponentError) and e.transient))
        raise next(lasting, errors[0])
    return [result for result in results if isinstance(result, BundleFile)]


def _inline(url: str, limit: int) -> Download:
    """Return the file that a `data:` URL holds."""
    try:
        data = data_in(url)
    except ValueError as error:
        raise FileError("bad_url", str(error)) from None
    if len(data) > limit:
        raise TooLarge
    return Download(data, 0)


def _local(url: str, folder: Path, limit: int) -> bytes:
    try:
        return read_local(url, folder, limit)
    except FileNotFoundError:
        raise FileError("not_found", "there is no such file") from None
    except OSError as error:
        message = f"it cannot be read: {reason(error)}"
        raise FileError("unreadable", message, transient=True) from error


def _file_error(connection: CmsConnection, failure: RequestFailure) -> FileError:
    """Return what a failed request means for a file, and the way out."""
    if failure.transient:
        advice = {
            "unreachable": "is its host up?",
            "rate_limited": f"its host answered {RATE_LIMITED} for too long, "
            f"lower {connection.key}.requests_per_second",
        }.get(failure.code, "the next refresh tries again")
        return FileError(failure.code, f"{failure}; {advice}", transient=True)
    if failure.code != "refused":
        return FileError(failure.code, failure.message)
    code, way_out = "refused", "docs/cms.md says what a CMS answers"
    if failure.status in {404, 410}:
        code, way_out = "not_found", "put the file back in the CMS or take it off the list"
    elif failure.status in {401, 403}:
        code = "forbidden"
        way_out = "the token goes to the CMS's own origin only, this URL has to open without it"
        if connection.origins.may_have_token(failure.url):
            way_out = f"set {connection.way_in} to a token that may read files"
    return FileError(code, f"{failure}; {way_out}")
