"""The sample CMS as an ASGI application: the manifest, the files, the token, the faults."""

from __future__ import annotations

import hashlib
import hmac
import math
import mimetypes
import os
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from library_pipeline.sample_cms.faults import (
    FAULTS,
    OPEN_PATHS,
    FaultMiddleware,
    Faults,
    Switchboard,
    error_response,
    file_path,
    spoil,
)
from library_pipeline.sample_cms.listing import BadQuery, LibraryFolder, page_of, read_query
from library_pipeline.sources.local.bundles import BundleItem

# The first page, with the ETag, always reads the folder; later pages may use a listing this old.
_FRESH_SECONDS = 1.0
_MEDIA_TYPES = {".jfif": "image/jpeg", ".webp": "image/webp"}


class RequestCounter:
    """Counts the requests for each path, so that tests can limit them."""

    def __init__(self, app: ASGIApp, requests: Counter[str]) -> None:
        self._app = app
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the request and pass it on."""
        if scope["type"] == "http":
            self._requests[scope["path"]] += 1
        await self._app(scope, receive, send)


class BearerAuth:
    """Answers 401 to a request without the token; `/healthz` needs none."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS or self._knows(scope):
            await self._app(scope, receive, send)
            return
        headers = {"WWW-Authenticate": 'Bearer realm="cms"'}
        answer = error_response(401, "send the header Authorization: Bearer <token>", headers)
        await answer(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        given = dict(scope["headers"]).get(b"authorization", b"")
        return hmac.compare_digest(given, self._expected)


class _AnyText(Convertor[str]):
    """A path segment of any characters, since an id may hold each of them."""

    regex = r"[\s\S]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("any", _AnyText())


def create_app(
    folder: str | os.PathLike[str],
    *,
    token: str | None = None,
    base_url: str | None = None,
    faults: Faults | None = None,
    allow_faults: bool = False,
) -> Starlette:
    """Return the CMS over `folder` as an ASGI application.

    URLs in the manifest start with `base_url`; without it, with the address of the request.
    """
    switchboard = Switchboard(faults or Faults())
    requests: Counter[str] = Counter()
    routes = [
        Route("/healthz", healthz),
        Route("/components", components),
        Route("/files/{component_id:any}.{kind}", file),
    ]
    if allow_faults:
        routes.append(Route("/_faults", set_faults, methods=["GET", "POST"]))
    middleware = [
        Middleware(RequestCounter, requests=requests),
        Middleware(FaultMiddleware, switchboard=switchboard),
        *([Middleware(BearerAuth, token=token)] if token else []),
    ]
    app = Starlette(routes=routes, middleware=middleware)
    app.state.library = LibraryFolder(folder)
    app.state.base_url = base_url.rstrip("/") if base_url else None
    app.state.switchboard = switchboard
    app.state.requests = requests
    return app


def healthz(request: Request) -> Response:
    """Answer that the CMS runs."""
    return PlainTextResponse("ok")


def components(request: Request) -> Response:
    """Answer one page of the manifest, or 304 if the client's ETag is still right."""
    try:
        query = read_query(request.query_params)
    except BadQuery as error:
        return error_response(400, str(error))
    switchboard: Switchboard = request.app.state.switchboard
    first = query.after is None
    listing = request.app.state.library.listing(0.0 if first else _FRESH_SECONDS)
    with_etag = first and "no_etag" not in switchboard.faults.manifest
    etag = listing.etag
    if "new_etags" in switchboard.faults.manifest:
        etag = f'"{time.monotonic_ns()}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"} if with_etag else {}
    if with_etag and _matches(request, etag):
        return Response(status_code=304, headers=headers)
    if "not_json" in switchboard.faults.manifest:
        return PlainTextResponse("<html>we are busy, come back later</html>")
    # A fault changes entries without a new `updated_at`, so `updated_since` would miss them.
    dated = not switchboard.faults.change_entries
    page = page_of(
        listing,
        query if dated else replace(query, updated_since=None),
        shift=switchboard.faults.shifts,
    )
    base = request.app.state.base_url or str(request.base_url).rstrip("/")
    entries = [
        spoil(manifest_entry(item, base), switchboard) | other
        for item in page.items
        for other in _times_listed(item.id, switchboard.faults)
    ]
    looping = "looping_cursor" in switchboard.faults.manifest
    body = {"components": entries, "next": "bG9vcA==" if looping else page.next}
    if dated:
        body["total"] = len(listing.items)
    if page.since:
        body["since"] = iso_time(page.since)
    return JSONResponse(body, headers=headers)


def _times_listed(component_id: str, faults: Faults) -> list[dict[str, Any]]:
    """Return the changes to the entry of a component, one for each time it is listed."""
    if component_id in faults.duplicate_ids:
        return [{}, {"revision": "another"}]
    return [{}, {}] if component_id in faults.repeated_ids else [{}]


def manifest_entry(item: BundleItem, base: str) -> dict[str, Any]:
    """Return the manifest entry of one component."""
    return {
        "id": item.id,
        "revision": item.revision,
        "name": item.name,
        "client": item.client,
        "category": item.category,
        "tags": list(item.tags),
        "updated_at": iso_time(item.updated_at),
        "files": {
            kind: {"url": base + file_path(quote(item.id, safe=""), kind), "sha256": file.sha256}
            for kind, file in item.files.items()
        },
    }


def iso_time(time: datetime) -> str:
    """Return a time in UTC, in ISO 8601 with a final Z."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def file(request: Request) -> Response:
    """Answer one file of a component, with its digest as ETag."""
    component_id, kind = request.path_params["component_id"], request.path_params["kind"]
    item = find_item(request.app.state.library, component_id, kind)
    try:
        path = item.files[kind].path if item else None
        data = path.read_bytes() if path else None
    except (KeyError, FileNotFoundError):
        path = data = None
    if path is None or data is None:
        return error_response(404, f"component {component_id[:100]!r} has no file {kind[:20]!r}")
    fault = request.app.state.switchboard.file_fault(component_id, kind)
    if fault and fault.do == "garbage":
        data = b"neither a picture nor JSON"
    etag = f'"{hashlib.sha256(data).hexdigest()}"'
    if _matches(request, etag):
        return Response(status_code=304, headers={"ETag": etag})
    media_type = _MEDIA_TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    if fault and fault.do == "content_type":
        media_type = fault.content_type
    return Response(data, media_type=media_type, headers={"ETag": etag})


def find_item(library: LibraryFolder, component_id: str, kind: str) -> BundleItem | None:
    """Return a component; reads the folder again only if the last listing lacks it."""
    item = library.listing(math.inf).by_id.get(component_id)
    if item and kind in item.files and item.files[kind].path.exists():
        return item
    return library.listing(_FRESH_SECONDS).by_id.get(component_id)


async def set_faults(request: Request) -> Response:
    """Answer the active faults (GET), or replace them (POST; `{}` ends all)."""
    switchboard: Switchboard = request.app.state.switchboard
    if request.method == "POST":
        try:
            switchboard.set(FAULTS.validate_json(await request.body()))
        except ValidationError as error:
            return error_response(400, str(error))
    return JSONResponse(FAULTS.dump_python(switchboard.faults, mode="json"))


def _matches(request: Request, etag: str) -> bool:
    """Return whether If-None-Match names `etag` (RFC 9110: a list, weak comparison)."""
    given = request.headers.get("if-none-match", "").split(",")
    return any(one.strip().removeprefix("W/") in {etag, "*"} for one in given)
