"""Checking what was downloaded and putting it into the store, away from the event loop."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from library_pipeline.bundles.store import BundleError, BundleStore
from library_pipeline.catalog.bundle import StoredFile
from library_pipeline.catalog.component import Component, FileKind
from library_pipeline.catalog.failures import ComponentError
from library_pipeline.sources.wording import redacted, shorten

# Enough for a store on a slow disk, and little enough for the CMS's and the database's threads.
_THREADS = 4
_AT_ONCE = 4

_JSON_KINDS = frozenset[FileKind]({"config", "records"})
_LARGE_JSON_BYTES = 1024 * 1024
_ONE_LARGE_JSON = threading.Lock()

Files = Mapping[FileKind, StoredFile]


@dataclass(frozen=True, slots=True)
class Found:
    """One file: from the store (`stored`) or from the CMS; the former's bytes may not be needed."""

    kind: FileKind
    data: bytes
    stored: StoredFile | None = None
    received: int = 0
    replace: bool = False


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A component whose files are there, and whoever waits for their being kept."""

    component: Component
    found: Sequence[Found]
    kept: asyncio.Future[Files]


class Keeper:
    """Checks and stores the files of components. One event loop's own.

    Going to a thread and back takes longer than the work on a small component, so a thread takes
    several that are waiting, and another one only starts where the first cannot keep up. In a
    remote store it is the waiting that takes time, so each component has a thread to itself.
    """

    def __init__(self, store: BundleStore) -> None:
        self._store = store
        self._at_once, self._most = (_AT_ONCE, _THREADS) if store.local else (1, sys.maxsize)
        self._waiting: list[_Waiting] = []
        self._at_work = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def keep(self, component: Component, found: Sequence[Found]) -> Files:
        """Check and store files, all or, where one is wrong, none; raises ComponentError."""
        waiting = _Waiting(component, found, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        behind = len(self._waiting) >= self._at_once
        if not self._at_work or (behind and self._at_work < self._most):
            self._at_work += 1
            task = asyncio.create_task(self._work_off())
            self._tasks.add(task)  # the loop alone would let it be collected
            task.add_done_callback(self._tasks.discard)
        return await waiting.kept

    async def _work_off(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[: self._at_once]
                del self._waiting[: self._at_once]
                await self._keep_batch(batch)
        finally:
            self._at_work -= 1

    async def _keep_batch(self, batch: Sequence[_Waiting]) -> None:
        try:
            results = await asyncio.to_thread(self._keep_all, batch)
        except BaseException as error:
            for waiting in batch:
                _answer(waiting.kept, error)
            raise
        for waiting, result in zip(batch, results, strict=True):
            _answer(waiting.kept, result)

    def _keep_all(self, batch: Sequence[_Waiting]) -> list[Files | Exception]:
        return [self._outcome(waiting) for waiting in batch]

    def _outcome(self, waiting: _Waiting) -> Files | Exception:
        try:
            return self._keep(waiting.component, waiting.found)
        except Exception as error:  # one component's, whose neighbours go on
            return error

    def _keep(self, component: Component, found: Sequence[Found]) -> Files:
        digests = {file.kind: _checked(component, file) for file in found}
        return {
            file.kind: file.stored or self._put(component, file, digests[file.kind])
            for file in found
        }

    def _put(self, component: Component, file: Found, sha256: str) -> StoredFile:
        try:
            return self._store.put(file.data, sha256=sha256, replace=file.replace)
        except BundleError as error:
            raise not_kept(component, file.kind, error) from error


def _answer(kept: asyncio.Future[Files], result: Files | BaseException) -> None:
    if kept.done():  # whoever waited has been cancelled
        return
    if isinstance(result, BaseException):
        kept.set_exception(result)
    else:
        kept.set_result(result)


def _checked(component: Component, file: Found) -> str:
    """Return the file's digest; raises ComponentError where something downloaded is not right."""
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


def _check_json(component: Component, file: Found) -> None:
    try:
        if len(file.data) < _LARGE_JSON_BYTES:
            json.loads(file.data)
        else:
            # Parsed JSON takes many times its size in memory; large ones take turns.
            with _ONE_LARGE_JSON:
                json.loads(file.data)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise download_error(
            component,
            file.kind,
            "not_json",
            f"it is not JSON ({shorten(reason)}), it begins {file.data[:60]!r}; "
            "correct it in the CMS",
        ) from None


def not_kept(component: Component, kind: FileKind, error: BundleError) -> ComponentError:
    """Return what to say of a file that the store does not take or give."""
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
