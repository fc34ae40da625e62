"""A CMS of no known kind, behind a token, and what a person configures to read it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from typer.testing import CliRunner, Result

from library_pipeline.cli.app import app
from library_pipeline_tests.support.web_server import answer, web_server
from tools.testing.bundles import picture

TOKEN = "hunter2-of-the-shop"
MAPPING: dict[str, Any] = {
    "items": "data.entries",
    "name": "title",
    "client": "meta.client",
    "files": {"format": {"inline": "html"}, "screenshot": {"url": "image"}},
}
PAGING = {"style": "offset", "param": "offset", "size_param": "limit", "total": "meta.total"}


def item(number: int, **keys: Any) -> dict[str, Any]:
    return {
        "id": number,
        "title": f"Hat {number}",
        "meta": {"client": "north"},
        "html": "<p>",
        "image": f"/images/{number}.png?key={TOKEN}",
    } | keys


@dataclass
class Shop:
    """What the CMS lists, and what it was asked for."""

    items: list[dict[str, Any]]
    missing: set[str] = field(default_factory=set[str])
    etag: str | None = None
    url: str = ""
    asked: list[str] = field(default_factory=list[str])

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        self.asked.append(parts.path)
        if handler.headers["Authorization"] != f"Bearer {TOKEN}":
            return answer(handler, b"no", 401)
        if parts.path.startswith("/images/"):
            status = 404 if parts.path in self.missing else 200
            return answer(handler, picture(parts.path), status)
        if self.etag and handler.headers["If-None-Match"] == self.etag:
            return answer(handler, b"", 304)
        return answer(
            handler, self._page(parts.query), **({"ETag": self.etag} if self.etag else {})
        )

    def _page(self, query: str) -> bytes:
        asked = {key: int(value) for key, (value,) in parse_qs(query).items() if key != "type"}
        first, size = asked.get("offset", 0), asked.get("limit", 1000)
        entries = self.items[first : first + size]
        page = {"meta": {"total": len(self.items)}, "data": {"entries": entries}}
        return json.dumps(page).encode()


@contextmanager
def open_shop(*items: dict[str, Any]) -> Iterator[Shop]:
    shop = Shop(list(items))
    with web_server(shop.handle) as url:
        shop.url = url
        yield shop


def source(shop: Shop, name: str = "shop", **keys: Any) -> dict[str, Any]:
    """Return the keys of a source that reads the shop."""
    return {
        "name": name,
        "url": f"{shop.url}/api/hats",
        "auth": {"secret_env": "SHOP_TOKEN"},
        "mapping": MAPPING,
    } | keys


def configure(*sources: dict[str, Any]) -> None:
    """Write library.yaml into the test's folder; JSON is YAML, too."""
    Path("library.yaml").write_text(json.dumps({"sources": sources}))


def command(*arguments: str) -> Result:
    """Run `library-pipeline source`; nothing that it prints may hold the token."""
    outcome = CliRunner().invoke(app, ["source", *arguments])
    assert outcome.exception is None or isinstance(outcome.exception, SystemExit), outcome.exception
    assert TOKEN not in outcome.output
    assert "\x1b" not in outcome.output
    return outcome
