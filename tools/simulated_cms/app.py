"""The simulated CMS's answers, as a bare ASGI application: docs/cms.md, and its controls."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import cast
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from library_pipeline.catalog.component import FILE_KINDS, FileKind
from tools.simulated_cms.library import SimulatedLibrary, UnknownComponent

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
COUNTED = ("manifest", *FILE_KINDS, "not_modified")

_Headers = list[tuple[bytes, bytes]]
_FILES: Mapping[str, tuple[FileKind, bytes]] = {
    "config": ("config", b"application/json"),
    "format": ("format", b"text/html; charset=utf-8"),
    "records": ("records", b"application/json"),
    "screenshot": ("screenshot", b"image/png"),
}


class BadRequest(ValueError):
    """What was asked cannot be answered; the message says why."""


class SimulatedCmsApp:
    """Answers for one library and counts what it was asked for."""

    def __init__(self, library: SimulatedLibrary) -> None:
        self._library = library
        self._requests = Counter[str]()
        self._edits: Mapping[str, Callable[[dict[str, object]], None]] = {
            "/_edit": lambda body: library.edit(_numbers(body), _files(body)),
            "/_remove": lambda body: library.remove(_numbers(body)),
            "/_restore": lambda body: library.restore(_numbers(body)),
            "/_requests/reset": lambda body: self._requests.clear(),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        path: str = scope["path"]
        if path.startswith("/files/"):
            status, headers, body = self._file(path)
        elif path == "/components":
            status, headers, body = self._manifest(scope)
        else:
            status, headers, body = self._control(path, await _body(receive))
        headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _file(self, path: str) -> tuple[int, _Headers, bytes]:
        id_, _, name = path[len("/files/") :].partition(".")
        if name not in _FILES:
            return _problem(404, f"there is no file {path[:100]!r}")
        kind, media_type = _FILES[name]
        self._requests[kind] += 1
        data = self._library.file(id_, kind)
        if data is None:
            return _problem(404, f"there is no component {id_[:100]!r}")
        return 200, [(b"content-type", media_type)], data

    def _manifest(self, scope: Scope) -> tuple[int, _Headers, bytes]:
        etag = self._library.etag.encode()
        headers = dict(cast("_Headers", scope["headers"]))
        try:
            query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
            if "cursor" not in query and headers.get(b"if-none-match") == etag:
                self._requests["not_modified"] += 1
                return 304, [(b"etag", etag)], b""
            page = self._page(query, f"http://{headers[b'host'].decode()}")
        except ValueError as error:
            return _problem(400, str(error))
        self._requests["manifest"] += 1
        answer: _Headers = [(b"content-type", b"application/json")]
        if "cursor" not in query:
            answer.append((b"etag", etag))
        return 200, answer, page.encode()

    def _page(self, query: Mapping[str, str], base_url: str) -> str:
        since = _time(query["updated_since"]) if "updated_since" in query else None
        limit = _number(query, "limit", DEFAULT_LIMIT, range(1, MAX_LIMIT + 1))
        after = _number(query, "cursor", -1, range(10**12))
        numbers, following = self._library.page(limit, after, since and since.timestamp())
        rest: dict[str, object] = {
            "next": None if following is None else str(following),
            "total": self._library.total,
        }
        if since:
            rest["since"] = since.isoformat()
        entries = ",".join([self._library.entry(number, base_url) for number in numbers])
        return f'{{"components":[{entries}],{json.dumps(rest)[1:]}'

    def _control(self, path: str, body: bytes) -> tuple[int, _Headers, bytes]:
        if path == "/_requests":
            return _json(200, {kind: self._requests[kind] for kind in COUNTED})
        edit = self._edits.get(path)
        if edit is None:
            return _problem(404, f"there is nothing at {path[:100]!r}")
        try:
            given = json.loads(body or b"{}")
            if not isinstance(given, dict):
                raise BadRequest("the body is not a JSON object")
            edit(cast("dict[str, object]", given))
        except (UnknownComponent, BadRequest, json.JSONDecodeError) as error:
            return _problem(400, str(error))
        return _json(200, {"total": self._library.total})


def _numbers(body: Mapping[str, object]) -> list[int]:
    numbers = body.get("numbers")
    if not isinstance(numbers, list) or not all(
        isinstance(number, int) for number in cast("Sequence[object]", numbers)
    ):
        raise BadRequest(f"numbers={numbers!r:.100} is not a list of whole numbers")
    return cast("list[int]", numbers)


def _files(body: Mapping[str, object]) -> list[FileKind]:
    files = body.get("files", ["screenshot"])
    if not isinstance(files, list) or not all(
        kind in FILE_KINDS for kind in cast("Sequence[object]", files)
    ):
        raise BadRequest(f"files={files!r:.100} is not a list of {', '.join(FILE_KINDS)}")
    return cast("list[FileKind]", files)


def _number(query: Mapping[str, str], name: str, default: int, allowed: range) -> int:
    value = query.get(name)
    if value is None:
        return default
    if not (value.isascii() and value.isdigit() and int(value[:13]) in allowed):
        raise BadRequest(f"{name}={value[:40]!r} is not a number below {allowed.stop}")
    return int(value)


def _time(value: str) -> datetime:
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise BadRequest(f"updated_since={value[:40]!r} is not an ISO 8601 time") from None
    return time.replace(tzinfo=time.tzinfo or UTC)


def _problem(status: int, message: str) -> tuple[int, _Headers, bytes]:
    return _json(status, {"error": message})


def _json(status: int, value: object) -> tuple[int, _Headers, bytes]:
    return status, [(b"content-type", b"application/json")], json.dumps(value).encode()


async def _body(receive: Receive) -> bytes:
    pieces: list[bytes] = []
    while True:
        message = await receive()
        pieces.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(pieces)
