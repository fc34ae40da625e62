"""What can be made to go wrong, on purpose: a CMS's bad days, as plain data."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

from library_pipeline.catalog.component import FileKind

_STRICT = ConfigDict(extra="forbid")

Answer = Literal["status", "drop", "truncate", "stall", "longer_length", "shorter_length"]
FileAnswer = Literal[
    "redirect",
    "garbage",
    "content_type",
    "missing",
    "relative_url",
    "foreign_url",
    "wrong_sha256",
]
ManifestFault = Literal[
    "not_json",
    "no_etag",
    "new_etags",
    "no_sha256",
    "looping_cursor",
    "repeating_pages",
    "skipping_pages",
]


@dataclass(frozen=True, slots=True, config=_STRICT)
class RequestFault:
    """Every k-th request, or the n-th ones (from 1), whose path starts with `path`, go wrong."""

    do: Answer
    every: int = 0
    nth: tuple[int, ...] = ()
    path: str = "/"
    status: int = 503
    seconds: float = 1.0
    retry_after: str | None = None


@dataclass(frozen=True, slots=True, config=_STRICT)
class FileFault:
    """One file of one component goes wrong: its answer, its bytes or its manifest entry.

    `garbage` serves bytes that are neither picture nor JSON, `content_type` the right ones under
    that name; `missing`, `relative_url`, `foreign_url` and `wrong_sha256` spoil the entry.
    `times` > 0 heals it after as many requests.
    """

    component: str
    kind: FileKind = "screenshot"
    do: Answer | FileAnswer = "status"
    status: int = 404
    seconds: float = 1.0
    retry_after: str | None = None
    times: int = 0
    location: str = ""
    content_type: str = "text/html"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Faults:
    """Everything that goes wrong at the moment; by default nothing does."""

    requests_per_second: float | None = None
    retry_after: str = "1"
    requests: tuple[RequestFault, ...] = ()
    files: tuple[FileFault, ...] = ()
    manifest: frozenset[ManifestFault] = frozenset()
    duplicate_ids: frozenset[str] = frozenset()
    repeated_ids: frozenset[str] = frozenset()

    @property
    def change_entries(self) -> bool:
        """Whether entries may be others than before although nobody edited them."""
        return bool(self.files or self.duplicate_ids or "no_sha256" in self.manifest)

    @property
    def shifts(self) -> int:
        """How many entries too late each page but the first begins; below 0, too early."""
        return ("skipping_pages" in self.manifest) - ("repeating_pages" in self.manifest)


FAULTS = TypeAdapter(Faults)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What one request gets instead of a proper answer."""

    do: str
    status: int = 503
    seconds: float = 0.0
    location: str = ""
    retry_after: str | None = None


class Switchboard:
    """The faults in force, and the counts that say whose turn it is. One event loop's own."""

    def __init__(self, faults: Faults | None, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self.set(faults or Faults())

    def set(self, faults: Faults) -> None:
        """Put other faults in force and start counting requests from zero."""
        self.faults = faults
        self._seen: Counter[int] = Counter()
        self._allowance = max(1.0, faults.requests_per_second or 0)
        self._counted_at = self._now()

    def trouble(self, path: str) -> Trouble | None:
        """Count a request for `path` and return what goes wrong with it, if anything."""
        if self._over_limit():
            return Trouble("status", 429, retry_after=self.faults.retry_after)
        return self._file_trouble(path) or self._request_trouble(path)

    def file_fault(self, component_id: str, kind: str) -> FileFault | None:
        """Return the fault of one file, whatever it is."""
        for fault in self.faults.files:
            if (fault.component, fault.kind) == (component_id, kind):
                return fault
        return None

    def _over_limit(self) -> bool:
        rate = self.faults.requests_per_second
        if not rate:
            return False
        now = self._now()
        self._allowance = min(max(1.0, rate), self._allowance + (now - self._counted_at) * rate)
        self._counted_at = now
        if self._allowance < 1:
            return True
        self._allowance -= 1
        return False

    def _file_trouble(self, path: str) -> Trouble | None:
        for fault in self.faults.files:
            if path == file_path(fault.component, fault.kind):
                self._seen[id(fault)] += 1
                if not fault.times or self._seen[id(fault)] <= fault.times:
                    return Trouble(
                        fault.do, fault.status, fault.seconds, fault.location, fault.retry_after
                    )
        return None

    def _request_trouble(self, path: str) -> Trouble | None:
        due: Trouble | None = None
        for fault in self.faults.requests:
            if not path.startswith(fault.path):
                continue
            self._seen[id(fault)] += 1
            turn = self._seen[id(fault)]
            if turn in fault.nth or (fault.every and turn % fault.every == 0):
                due = due or Trouble(
                    fault.do, fault.status, fault.seconds, retry_after=fault.retry_after
                )
        return due


def file_path(component_id: str, kind: str) -> str:
    """Return the path of a file. The kind behind the id keeps even `..` an ordinary name."""
    return f"/files/{component_id}.{kind}"


def spoil(entry: dict[str, Any], switchboard: Switchboard) -> dict[str, Any]:
    """Return a manifest entry as the faults in force would have it."""
    for kind in list(entry["files"]):
        fault = switchboard.file_fault(entry["id"], kind)
        file = entry["files"][kind]
        if "no_sha256" in switchboard.faults.manifest:
            file.pop("sha256", None)
        match fault.do if fault else None:
            case "missing":
                del entry["files"][kind]
            case "relative_url":
                file["url"] = f"files/{kind}"
            case "foreign_url":
                file["url"] = f"http://elsewhere.example/{kind}"
            case "wrong_sha256":
                file["sha256"] = "0" * 64
            case "garbage":
                file.pop("sha256", None)
            case _:
                pass
    return entry
