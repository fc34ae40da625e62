"""Components' files, from the CMS into the bundle store."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from library_pipeline.bundles.file_client import FileClient, FileError
from library_pipeline.bundles.store import BundleError, BundleStore
from library_pipeline.catalog.bundle import Bundle, StoredFile
from library_pipeline.catalog.component import FILE_KINDS, Component, FileKind
from library_pipeline.catalog.failures import ComponentError
from library_pipeline.sources.connection import CmsConnection
from library_pipeline.sources.wording import redacted, shorten

_JSON_KINDS = frozenset[FileKind]({"config", "records"})
_LARGE_JSON_BYTES = 1024 * 1024
_ONE_LARGE_JSON = threading.Lock()


@dataclass(frozen=True, slots=True)
class FetchedBundle:
    """A component's bundle, now in the store, and what it took to get it there."""

    bundle: Bundle
    screenshot: bytes
    downloaded_bytes: int
    milliseconds: float


@dataclass(frozen=True, slots=True)
class _Found:
    """One file: from the store (`stored`) or from the CMS; the former's bytes may not be needed."""

    kind: FileKind
    data: bytes
    stored: StoredFile | None = None
    received: int = 0
    replace: bool = False


class BundleDownloader:
    """Fetches components' files; `async with` it, in one event loop. Safe for many at once."""

    def __init__(self, connection: CmsConnection, store: BundleStore) -> None:
        self._connection = connection
        self._store = store
        self._client: FileClient | None = None

    async def __aenter__(self) -> Self:
        self._client = FileClient(self._connection)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._client:
            await self._client.__aexit__(kind, error, traceback)
            self._client = None

    async def fetch(self, component: Component, *, force: bool = False) -> FetchedBundle:
        """Return the component's bundle, downloading what the store does not have.

        `force` downloads everything and replaces what is stored. Raises ComponentError.
        """
        started = time.perf_counter()
        # Every file is waited for: breaking off its neighbours would cost their connections.
        results = await asyncio.gather(
            *(self._find(component, kind, force) for kind in FILE_KINDS), return_exceptions=True
        )
        found = _all_found(results)
        # One hop to a thread for all of hashing, parsing and writing.
        files = await asyncio.to_thread(self._keep, component, found)
        return FetchedBundle(
            Bundle(component.component_id, component.revision, files),
            screenshot=found[FILE_KINDS.index("screenshot")].data,
            downloaded_bytes=sum(file.received for file in found),
            milliseconds=(time.perf_counter() - started) * 1000,
        )

    async def _find(self, component: Component, kind: FileKind, force: bool) -> _Found:
        sha256 = component.files[kind].sha256
        if force or sha256 is None:
            return await self._download(component, kind, replace=force)
        try:
            if kind == "screenshot":
                data = await asyncio.to_thread(self._read, sha256)
                if data is not None:
                    return _Found(kind, data, StoredFile(sha256, len(data)))
            elif stored := await self._stored(sha256):
                return _Found(kind, b"", stored)
        except BundleError as error:
            if error.code != "bundle.corrupt":
                raise _not_kept(component, kind, error) from error
            return await self._download(component, kind, replace=True)
        return await self._download(component, kind)

    async def _stored(self, sha256: str) -> StoredFile | None:
        if self._store.local:
            return self._store.find(sha256)
        return await asyncio.to_thread(self._store.find, sha256)

    def _read(self, sha256: str) -> bytes | None:
        return self._store.get(sha256) if self._store.has(sha256) else None

    async def _download(
        self, component: Component, kind: FileKind, *, replace: bool = False
    ) -> _Found:
        if self._client is None:
            raise RuntimeError("a BundleDownloader works inside `async with`")
        url = component.files[kind].url
        try:
            download = await self._client.get(url, self._connection.limits.of(kind))
        except FileError as error:
            raise _error(
                component, kind, error.code, error.message, transient=error.transient
            ) from error
        return _Found(kind, download.data, received=download.received, replace=replace)

    def _keep(self, component: Component, found: Sequence[_Found]) -> dict[FileKind, StoredFile]:
        """Check and store what was downloaded: all of it is right, or nothing is stored."""
        new = [file for file in found if file.stored is None]
        for file in new:
            _check_digest(component, file)
            if file.kind in _JSON_KINDS:
                _check_json(component, file)
        return {file.kind: file.stored or self._put(component, file) for file in found}

    def _put(self, component: Component, file: _Found) -> StoredFile:
        try:
            return self._store.put(file.data, replace=file.replace)
        except BundleError as error:
            raise _not_kept(component, file.kind, error) from error


def _all_found(results: Sequence[_Found | BaseException]) -> list[_Found]:
    """Return the files, or raise the error that matters most: one that will not heal by itself."""
    errors = [result for result in results if isinstance(result, BaseException)]
    if errors:
        lasting = (e for e in errors if not (isinstance(e, ComponentError) and e.transient))
        raise next(lasting, errors[0])
    return [result for result in results if isinstance(result, _Found)]


def _check_digest(component: Component, file: _Found) -> None:
    stated = component.files[file.kind].sha256
    actual = hashlib.sha256(file.data).hexdigest()
    if stated is not None and actual != stated:
        raise _error(
            component,
            file.kind,
            "digest_mismatch",
            f"its sha256 is {actual}, the manifest says {stated}; it was probably edited since, "
            "the next refresh sees its new revision",
            transient=True,
        )


def _check_json(component: Component, file: _Found) -> None:
    try:
        if len(file.data) < _LARGE_JSON_BYTES:
            json.loads(file.data)
        else:
            # Parsed JSON takes many times its size in memory; large ones take turns.
            with _ONE_LARGE_JSON:
                json.loads(file.data)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise _error(
            component,
            file.kind,
            "not_json",
            f"it is not JSON ({shorten(reason)}), it begins {file.data[:60]!r}; "
            "correct it in the CMS",
        ) from None


def _not_kept(component: Component, kind: FileKind, error: BundleError) -> ComponentError:
    return _error(component, kind, "not_kept", error.message, transient=True)


def _error(
    component: Component, kind: FileKind, code: str, why: str, *, transient: bool = False
) -> ComponentError:
    where = f"component {shorten(component.component_id)}: {kind}"
    return ComponentError(
        "download",
        f"download.{code}",
        f"{where} at {redacted(component.files[kind].url)}: {why}",
        transient=transient,
    )
