"""A CMS for what cannot be had of a real one: clocks, and edits at the worst moment."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tools.simulated_cms.library import SimulatedLibrary

COMPONENTS = 40


class FakeCms:
    """A CMS whose clock is set by hand, which changes between two pages, and answers as it likes.

    No proper one does that. `spoil` may change a page; each of `between` happens before a page.
    """

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.library = SimulatedLibrary(COMPONENTS, now=self._time)
        self.between: list[Callable[[], None]] = []
        self.spoil: Callable[[dict[str, Any]], None] = lambda page: None
        self.asked: list[dict[str, str]] = []
        self.url = ""

    def _time(self) -> float:
        return self.now.timestamp()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        query = {name: found[0] for name, found in parse_qs(urlsplit(handler.path).query).items()}
        self.asked.append(query)
        if self.between:
            self.between.pop(0)()
        handler.date_time_string = lambda timestamp=None: format_datetime(self.now, usegmt=True)  # pyright: ignore
        etag = self.library.etag
        unchanged = handler.headers["If-None-Match"] == etag
        body = b"" if unchanged else json.dumps(self.page(query)).encode()
        handler.send_response(304 if unchanged else 200)
        handler.send_header("ETag", etag)
        handler.end_headers()
        handler.wfile.write(body)

    def page(self, query: dict[str, str]) -> dict[str, Any]:
        since = query.get("updated_since")
        limit, after = int(query["limit"]), int(query.get("cursor", -1))
        numbers, following = self.library.page(
            limit, after, datetime.fromisoformat(since).timestamp() if since else None
        )
        page: dict[str, Any] = {
            "components": [json.loads(self.library.entry(n, self.url)) for n in numbers],
            "next": None if following is None else str(following),
            "total": self.library.total,
            **({"since": since} if since else {}),
        }
        self.spoil(page)
        return page

    def listed(self) -> dict[str, str]:
        numbers, _ = self.library.page(COMPONENTS)
        entries = (json.loads(self.library.entry(number, self.url)) for number in numbers)
        return {entry["id"]: entry["revision"] for entry in entries}


@contextmanager
def fake_cms() -> Iterator[FakeCms]:
    cms = FakeCms()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            cms.answer(self)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    cms.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield cms
    finally:
        server.shutdown()
        server.server_close()
