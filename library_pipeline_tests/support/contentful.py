"""A space of Contentful's on a loopback port: its delivery and its sync API, as documented.

https://www.contentful.com/developers/docs/references/content-delivery-api/
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from library_pipeline_tests.support.web_server import answer, web_server

KEY = "delivery-key"
LONG_AGO = "2026-01-02T03:04:05.678Z"
_PATH = "/spaces/s/environments/master/"
_LOCALE = "en-US"


@dataclass(frozen=True)
class _Asked:
    """What a sync token stands for: what came after `since` up to `until`, from `start` on."""

    since: int
    until: int | None = None
    start: int = 0


class FakeContentful:
    """Entries and assets that can be published, edited, unpublished and deleted.

    `asked` are the paths and queries of requests. `hand_out` makes a sync's URL of a token, which
    is whatever the test likes; `refusal` is what a token gets that is not in `tokens` any more.
    """

    def __init__(self) -> None:
        self.published: dict[str, dict[str, Any]] = {}
        self.log: list[dict[str, Any]] = []
        self.tokens: dict[str, _Asked] = {}
        self.asked: list[str] = []
        self.time = LONG_AGO
        self.refusal = 400
        self.page = 100
        self.url = ""
        self.hand_out = lambda token: f"{self.url}{_PATH}sync?sync_token={token}"

    @property
    def entries_url(self) -> str:
        return f"{self.url}{_PATH}entries"

    def publish(self, entry: str, name: str = "", kind: str = "component") -> None:
        """Publish an entry, or a new version of it, with its own asset."""
        if kind == "component" and f"{entry}-shot" not in self.published:
            self.replace(f"{entry}-shot")
        link = {"sys": {"type": "Link", "linkType": "Asset", "id": f"{entry}-shot"}}
        content_type = {"sys": {"type": "Link", "linkType": "ContentType", "id": kind}}
        fields = {"name": name or entry, "screenshot": link}
        self._put("Entry", entry, fields, contentType=content_type)

    def replace(self, asset: str) -> None:
        """Publish an asset, or another file in it."""
        file = {"url": f"{self.url}/files/{asset}-{len(self.log)}.png", "contentType": "image/png"}
        self._put("Asset", asset, {"title": asset, "file": file})

    def remove(self, item: str) -> None:
        """Unpublish or delete: either way it is a deletion to those who see what is published."""
        kind = self.published.pop(item)["sys"]["type"]
        times = {"deletedAt": self.time, "updatedAt": self.time}
        self.log.append({"sys": {"type": f"Deleted{kind}", "id": item, **times}})

    def forget_tokens(self) -> None:
        self.tokens.clear()

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append(handler.path)
        path, query = urlsplit(handler.path).path, dict(parse_qsl(urlsplit(handler.path).query))
        if handler.headers["Authorization"] != f"Bearer {KEY}":
            return answer(handler, _error("AccessTokenInvalid"), 401)
        if path == f"{_PATH}entries":
            return answer(handler, json.dumps(self._listing(query)).encode())
        if path != f"{_PATH}sync":
            return answer(handler, _error("NotFound"), 404)
        asked = self.tokens.get(query.get("sync_token", ""))
        if query.get("initial") == "true":
            asked = _Asked(0)
        elif set(query) != {"sync_token"} or asked is None:
            return answer(handler, _error("BadRequest"), self.refusal)
        return answer(handler, json.dumps(self._sync(asked)).encode())

    def _put(self, kind: str, item: str, fields: dict[str, Any], **system: Any) -> None:
        revision = self.published.get(item, {"sys": {"revision": 0}})["sys"]["revision"] + 1
        known = {"type": kind, "id": item, "revision": revision, "updatedAt": self.time, **system}
        self.published[item] = {"sys": known, "fields": fields}
        in_locales = {key: {_LOCALE: value} for key, value in fields.items()}
        self.log.append({"sys": known, "fields": in_locales})

    def _listing(self, query: dict[str, str]) -> dict[str, Any]:
        entries = [
            each
            for _, each in sorted(self.published.items())
            if each["sys"].get("contentType", {}).get("sys", {}).get("id") == query["content_type"]
        ]
        start, size = int(query["skip"]), int(query["limit"])
        links = [each["fields"]["screenshot"]["sys"]["id"] for each in entries]
        assets = [self.published[link] for link in links if link in self.published]
        page = {"total": len(entries), "items": entries[start : start + size]}
        return {**page, "includes": {"Asset": assets}}

    def _sync(self, asked: _Asked) -> dict[str, Any]:
        until = len(self.log) if asked.until is None else asked.until
        changed = {each["sys"]["id"]: each for each in self.log[asked.since : until]}
        if asked.since == 0:  # the initial sync lists no deletions
            changed = {key: each for key, each in changed.items() if key in self.published}
        end = asked.start + self.page
        items = list(changed.values())[asked.start : end]
        if end < len(changed):
            goes_on = self._token(_Asked(asked.since, until, end))
            return {"items": items, "nextPageUrl": self.hand_out(goes_on)}
        return {"items": items, "nextSyncUrl": self.hand_out(self._token(_Asked(until)))}

    def _token(self, asked: _Asked) -> str:
        token = secrets.token_urlsafe(90)
        self.tokens[token] = asked
        return token


@contextmanager
def served() -> Iterator[FakeContentful]:
    """Serve a space of three components, an entry of another type, and their assets."""
    space = FakeContentful()
    with web_server(space.handle) as space.url:
        for entry in ("banner", "card", "hero"):
            space.publish(entry)
        space.publish("imprint", kind="page")
        yield space


def _error(what: str) -> bytes:
    return json.dumps({"sys": {"type": "Error", "id": what}}).encode()
