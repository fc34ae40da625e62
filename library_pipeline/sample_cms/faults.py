"""The faults that the sample CMS can show, as data, and the middleware that applies them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
OPEN_PATHS = frozenset({"/healthz"})


@dataclass(frozen=True, slots=True, config=_STRICT)
class RequestFault:
    """Spoils the answers to paths that start with `path`: every k-th, or the n-th (from 1)."""

    do: Answer
    every: int = 0
    nth: tuple[int, ...] = ()
    path: str = "/"
    status: int = 503
    seconds: float = 1.0
    retry_after: str | None = None


@dataclass(frozen=True, slots=True, config=_STRICT)
class FileFault:
    """Spoils one file of one component: its answer, its bytes or its manifest entry.

    `garbage` serves bytes that are neither a picture nor JSON, `content_type` the right bytes under
    that type; `missing`, `relative_url`, `foreign_url` and `wrong_sha256` change the entry.
    With `times` > 0 the fault ends after that many requests.
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
    """All active faults; by default there are none."""

    requests_per_second: float | None = None
    retry_after: str = "1"
    requests: tuple[RequestFault, ...] = ()
    files: tuple[FileFault, ...] = ()
    manifest: frozenset[ManifestFault] = frozenset()
    duplicate_ids: frozenset[str] = frozenset()
    repeated_ids: frozenset[str] = frozenset()

    @property
    def change_entries(self) -> bool:
        """Whether the faults change entries without an edit."""
        return bool(self.files or self.duplicate_ids or "no_sha256" in self.manifest)

    @property
    def shifts(self) -> int:
        """By how many entries each page after the first starts too late (below 0: too early)."""
        return ("skipping_pages" in self.manifest) - ("repeating_pages" in self.manifest)


FAULTS = TypeAdapter(Faults)


class Switchboard:
    """The active faults, with the request counts that trigger them; for one event loop only."""

    def __init__(self, faults: Faults) -> None:
        self.set(faults)

    def set(self, faults: Faults) -> None:
        """Replace the active faults and count requests from zero."""
        self.faults = faults
        self._seen: Counter[int] = Counter()
        self._allowance = max(1.0, faults.requests_per_second or 0)
        self._counted_at = time.monotonic()

    def next_fault(self, path: str) -> RequestFault | FileFault | None:
        """Count a request for `path`; return the fault that its answer shows, None if none."""
        if self._over_limit():
            return RequestFault("status", status=429, retry_after=self.faults.retry_after)
        return self._next_file_fault(path) or self._next_request_fault(path)

    def file_fault(self, component_id: str, kind: str) -> FileFault | None:
        """Return the fault of one file, None if it has none."""
        for fault in self.faults.files:
            if (fault.component, fault.kind) == (component_id, kind):
                return fault
        return None

    def _over_limit(self) -> bool:
        rate = self.faults.requests_per_second
        if not rate:
            return False
        now = time.monotonic()
        self._allowance = min(max(1.0, rate), self._allowance + (now - self._counted_at) * rate)
        self._counted_at = now
        if self._allowance < 1:
            return True
        self._allowance -= 1
        return False

    def _next_file_fault(self, path: str) -> FileFault | None:
        for fault in self.faults.files:
            if path == file_path(fault.component, fault.kind):
                self._seen[id(fault)] += 1
                if not fault.times or self._seen[id(fault)] <= fault.times:
                    return fault
        return None

    def _next_request_fault(self, path: str) -> RequestFault | None:
        due: RequestFault | None = None
        for fault in self.faults.requests:
            if not path.startswith(fault.path):
                continue
            self._seen[id(fault)] += 1
            turn = self._seen[id(fault)]
            if turn in fault.nth or (fault.every and turn % fault.every == 0):
                due = due or fault
        return due


def file_path(component_id: str, kind: str) -> str:
    """Return the path of a file; the kind after the id makes even `..` an ordinary name."""
    return f"/files/{component_id}.{kind}"


def spoil(entry: dict[str, Any], switchboard: Switchboard) -> dict[str, Any]:
    """Return a manifest entry with the active faults applied; changes `entry`."""
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


def error_response(
    status: int, message: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Return a JSON object with `message` as its `error`."""
    return JSONResponse({"error": message}, status, headers)


class FaultMiddleware:
    """Answers requests with the faults of the switchboard."""

    def __init__(self, app: ASGIApp, switchboard: Switchboard) -> None:
        self._app = app
        self._switchboard = switchboard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with a fault."""
        exempt = scope["type"] != "http" or scope["path"] in {*OPEN_PATHS, "/_faults"}
        fault = None if exempt else self._switchboard.next_fault(scope["path"])
        if fault is None:
            await self._app(scope, receive, send)
            return
        match fault.do:
            case "status" | "redirect":
                await _fault_response(fault)(scope, receive, send)
            case "drop":
                await _hang_up(scope, receive)
            case "truncate":
                await self._app(scope, receive, _cut_short(scope, receive, send))
            case "longer_length" | "shorter_length":
                await self._app(scope, receive, _send_wrong_length(fault.do, scope, receive))
            case _:  # a stall, or a fault that the routes apply to bytes or entries
                await asyncio.sleep(fault.seconds if fault.do == "stall" else 0)
                await self._app(scope, receive, send)


def _fault_response(fault: RequestFault | FileFault) -> Response:
    if isinstance(fault, FileFault) and fault.do == "redirect":
        return RedirectResponse(fault.location, 302)
    headers = {"Retry-After": fault.retry_after} if fault.retry_after else None
    return error_response(fault.status, "this is a fault on purpose", headers)


def _cut_short(scope: Scope, receive: Receive, send: Send) -> Send:
    """Return a `send` that announces the full length and stops in the middle of the body."""

    async def half(message: Message) -> None:
        if message["type"] != "http.response.body":
            await send(message)
            return
        body = message.get("body", b"")
        await send({**message, "body": body[: len(body) // 2], "more_body": True})
        await _hang_up(scope, receive)

    return half


def _send_wrong_length(how: str, scope: Scope, receive: Receive) -> Send:
    """Return a `send` that announces twice the body's length or half of it, and sends all of it.

    The connection stays open, so the client has to give up.
    """
    start: Message = {}

    async def lie(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
            return
        body = message.get("body", b"")
        length = len(body) * 2 if how == "longer_length" else len(body) // 2
        others = [each for each in start["headers"] if each[0].lower() != b"content-length"]
        headers = [*others, (b"content-length", str(length).encode())]
        lines = [b"%s: %s\r\n" % (name, value) for name, value in headers]
        head = b"HTTP/1.1 %d On Purpose\r\n%s\r\n" % (start["status"], b"".join(lines))
        # Past the server, which would not let length and body differ.
        scope["state"]["write"](head + body)
        await _disconnected(receive)

    return lie


async def _hang_up(scope: Scope, receive: Receive) -> None:
    # Only HangUpProtocol lets an application close the connection.
    scope["state"]["hang_up"]()
    await _disconnected(receive)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
