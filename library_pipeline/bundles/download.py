"""Components' files, from their sources into the bundle store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from library_pipeline.bundles.file_client import FileError
from library_pipeline.bundles.keeping import Found, Keeper, download_error, not_kept
from library_pipeline.bundles.source_files import SourceFiles
from library_pipeline.bundles.store import BundleError, BundleStore
from library_pipeline.catalog.bundle import Bundle, StoredFile
from library_pipeline.catalog.component import FILE_KINDS, Component, FileKind
from library_pipeline.catalog.failures import ComponentError
from library_pipeline.sources.source import Source


@dataclass(frozen=True, slots=True)
class FetchedBundle:
    """A component's bundle, now in the store, and what it took to get it there."""

    bundle: Bundle
    screenshot: bytes
    downloaded_bytes: int
    milliseconds: float


class BundleDownloader:
    """Fetches components' files; `async with` it, in one event loop. Safe for many at once."""

    def __init__(self, sources: Sequence[Source], store: BundleStore) -> None:
        self._sources = sources
        self._store = store
        self._keeper = Keeper(store)
        self._files: dict[str, SourceFiles] | None = None

    async def __aenter__(self) -> Self:
        self._files = {source.name: SourceFiles(source) for source in self._sources}
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        files, self._files = self._files or {}, None
        for each in files.values():
            await each.__aexit__(kind, error, traceback)

    async def fetch(
        self, component: Component, *, force: bool = False, verify: bool = False
    ) -> FetchedBundle:
        """Return the component's bundle, downloading what the store does not have.

        `verify` reads what the store has, and downloads anew what has suffered there; `force`
        downloads everything and replaces what is stored. Raises ComponentError.
        """
        started = time.perf_counter()
        # Every file is waited for: breaking off its neighbours would cost their connections.
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

    async def _find(self, component: Component, kind: FileKind, force: bool, verify: bool) -> Found:
        sha256 = component.files[kind].sha256
        if force or sha256 is None:
            return await self._download(component, kind, replace=force)
        try:
            if stored := await self._stored(sha256):
                # The others' bytes are not needed.
                read = kind == "screenshot" or verify
                data = await asyncio.to_thread(self._store.get, sha256) if read else b""
                return Found(kind, data, stored)
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
    ) -> Found:
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
        return Found(kind, download.data, received=download.received, replace=replace)


def _all_found(results: Sequence[Found | BaseException]) -> list[Found]:
    """Return the files, or raise the error that matters most: one that will not heal by itself."""
    errors = [result for result in results if isinstance(result, BaseException)]
    if errors:
        lasting = (e for e in errors if not (isinstance(e, ComponentError) and e.transient))
        raise next(lasting, errors[0])
    return [result for result in results if isinstance(result, Found)]
