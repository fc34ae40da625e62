"""What a source's server answers in these measurements, as a bare ASGI application."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import time
from typing import Final
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from tools.bench.sources.items import SHAPES, Listing

STALL_SECONDS: Final = 1.0
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JSON: Final = [(b"content-type", b"application/json")]
_FILE: Final = [(b"content-type", b"image/png")]


class SourceApp:
    """Listings, files, and hosts that are slow or fail.

    `/list/<shape>/<count>`, `/files/<bytes>/<n>`, `/stalls/<bytes>/<n>`, `/fails/<n>`, and
    `/paced/<n>`, whose requests' times are at `/times`, which then begins anew.
    """

    def __init__(self) -> None:
        self._times: list[float] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        what, _, rest = str(scope["path"]).removeprefix("/").partition("/")
        status, headers, body = 200, _FILE, b""
        match what:
            case "list":
                headers, body = _JSON, _page(rest, scope["query_string"])
            case "files":
                body = _file(rest)
            case "stalls":
                await asyncio.sleep(STALL_SECONDS)
                body = _file(rest)
            case "paced":
                self._times.append(time.monotonic())
                headers, body = _JSON, b"{}"
            case "times":
                headers, body = _JSON, json.dumps(self._times).encode()
                self._times.clear()
            case _:
                status, headers = 503, _JSON
        length = (b"content-length", b"%d" % len(body))
        await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
        await send({"type": "http.response.body", "body": body})


def _page(path: str, query: bytes) -> bytes:
    shape, count = path.split("/")
    asked = parse_qs(query.decode())
    return _listing(shape, int(count)).page(int(asked["offset"][0]), int(asked["limit"][0]))


@functools.lru_cache(maxsize=1)  # at 100,000 items each
def _listing(shape: str, count: int) -> Listing:
    return Listing(SHAPES[shape], count)


def _file(path: str) -> bytes:
    size, number = map(int, path.split("/"))
    head = _PNG + number.to_bytes(8, "big")
    return head + _noise(size - len(head))


@functools.cache
def _noise(size: int) -> bytes:
    return os.urandom(size)
