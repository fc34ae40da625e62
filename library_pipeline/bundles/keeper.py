"""Downloaded files, checked and put into the store by threads."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from library_pipeline.bundles.store import BundleError, BundleStore
from library_pipeline.catalog.component import Component, FileKind, StoredFile
from library_pipeline.catalog.errors import ComponentError
from library_pipeline.sources.text import redacted, shorten

# Enough for a slow disk, and few enough beside the threads of the CMS and the database.
_THREADS = 4
_AT_ONCE = 4

_JSON_KINDS = frozenset[FileKind]({"config", "records"})
_LARGE_JSON_BYTES = 1024 * 1024
_ONE_LARGE_JSON = threading.Lock()

Files = Mapping[FileKind, StoredFile]


@dataclass(frozen=True, slots=True)
class BundleFile:
    """One file, from the store (`stored`) or from the CMS; a stored one may come without bytes."""

    kind: FileKind
    data: bytes
    stored: StoredFile | None = None
    received: int = 0
    replace: bool = False


@dataclass(frozen=True, slots=True)
class _Order:
    """A component's files to keep, and the future that gets the result."""

    component: Component
    found: Sequence[BundleFile]
    kept: asyncio.Future[Files]


class Keeper:
    """Checks and stores the files of components. For one event loop.

    The way to a thread and back takes longer than the work on a small component, so a thread takes
    several orders at once, and another one starts only when the first falls behind. A remote store
    spends the time on waiting, so there each component gets a separate thread.
    """

    def __init__(self, store: BundleStore) -> None:
        self._store = store
        self._at_once, self._max_threads = (_AT_ONCE, _THREADS) if store.local else (1, sys.maxsize)
        self._waiting: list[_Order] = []
        self._at_work = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def keep(self, component: Component, found: Sequence[BundleFile]) -> Files:
        """Check all files and store them; if one is wrong, store none and raise ComponentError."""
        order = _Order(component, found, asyncio.get_running_loop().create_future())
        self._waiting.append(order)
        behind = len(self._waiting) >= self._at_once
        if not self._at_work or (behind and self._at_work < self._max_threads):
            self._at_work += 1
            task = asyncio.create_task(self._work_off())
            self._tasks.add(task)  # the loop alone would let it be collected
            task.add_done_callback(self._tasks.discard)
        return await order.kept

    async def _work_off(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[: self._at_once]
                del self._waiting[: self._at_once]
                await self._keep_batch(batch)
        finally:
            self._at_work -= 1

    async def _keep_batch(self, batch: Sequence[_Order]) -> None:
        try:
            results = await asyncio.to_thread(lambda: [self._outcome(order) for order in batch])
        except BaseException as error:
            for order in batch:
                _answer(order.kept, error)
            raise
        for order, result in zip(batch, results, strict=True):
            _answer(order.kept, result)

    def _outcome(self, order: _Order) -> Files | Exception:
        try:
            return self._keep(order.component, order.found)
        except Exception as error:  # it fails one component only
            return error

    def _keep(self, component: Component, found: Sequence[BundleFile]) -> Files:
        digests = {file.kind: _checked(component, file) for file in found}
        return {
            file.kind: file.stored or self._put(component, file, digests[file.kind])
            for file in found
        }

    def _put(self, component: Component, file: BundleFile, sha256: str) -> StoredFile:
        try:
            return self._store.put(file.data, sha256=sha256, replace=file.replace)
        except BundleError as error:
            raise not_kept(component, file.kind, error) from error


def _answer(kept: asyncio.Future[Files], result: Files | BaseException) -> None:
    if kept.done():  # its waiter has been cancelled
        return
    if isinstance(result, BaseException):
        kept.set_exception(result)
    else:
        kept.set_result(result)


def _checked(component: Component, file: BundleFile) -> str:
    """Return the file's digest; raises ComponentError if the download is wrong."""
    if file.stored:
        return file.stored.sha256
    sha256 = hashlib.sha256(file.data).hexdigest()
    _check_digest(component, file.kind, sha256)
    if file.kind in _JSON_KINDS:
        _check_json(component, file)
    return sha256


def _check_digest(component: Component, kind: FileKind, actual: str) -> None:
    stated = component.files[kind].sha256
    if stated is not None and actual != stated:
        raise download_error(
            component,
            kind,
            "digest_mismatch",
            f"its sha256 is {actual}, the manifest says {stated}; it was probably edited since, "
            "the next refresh sees its new revision",
            transient=True,
        )


def _check_json(component: Component, file: BundleFile) -> None:
    try:
        if len(file.data) < _LARGE_JSON_BYTES:
            json.loads(file.data)
        else:
            # Parsed JSON takes many times its size in memory; large ones take turns.
            with _ONE_LARGE_JSON:
                json.loads(file.data)
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise download_error(
            component,
            file.kind,
            "not_json",
            f"it is not JSON ({shorten(why)}), it begins {file.data[:60]!r}; correct it in the CMS",
        ) from None


def not_kept(component: Component, kind: FileKind, error: BundleError) -> ComponentError:
    """Return the failure of a file that the store could not write or read."""
    return download_error(component, kind, "not_kept", error.message, transient=True)


def download_error(
    component: Component, kind: FileKind, code: str, why: str, *, transient: bool = False
) -> ComponentError:
    """Return the failure of one file, which it names with its URL."""
    where = f"component {shorten(component.component_id)}: {kind}"
    return ComponentError(
        "download",
        f"download.{code}",
        f"{where} at {redacted(component.files[kind].url)}: {why}",
        transient=transient,
    )
