"""What stands before every route: counting, faults on purpose, and the bearer token."""

from __future__ import annotations

import asyncio
import hmac
from collections import Counter

from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from library_pipeline.sample_cms.faults import Switchboard, Trouble

_OPEN = frozenset({"/healthz"})


def problem(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return an error answer: a JSON object whose `error` says what is wrong."""
    return JSONResponse({"error": message}, status, headers)


class CountRequests:
    """Counts requests by path, for tests that say how many there may be."""

    def __init__(self, app: ASGIApp, requests: Counter[str]) -> None:
        self._app = app
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the request and pass it on."""
        if scope["type"] == "http":
            self._requests[scope["path"]] += 1
        await self._app(scope, receive, send)


class BearerAuth:
    """Lets a request through when it carries the token; `/healthz` is open to all."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        if scope["type"] != "http" or scope["path"] in _OPEN or self._knows(scope):
            await self._app(scope, receive, send)
            return
        headers = {"WWW-Authenticate": 'Bearer realm="cms"'}
        answer = problem(401, "send the header Authorization: Bearer <token>", headers)
        await answer(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        given = dict(scope["headers"]).get(b"authorization", b"")
        return hmac.compare_digest(given, self._expected)


class MakeTrouble:
    """Lets requests go wrong as the switchboard says."""

    def __init__(self, app: ASGIApp, switchboard: Switchboard) -> None:
        self._app = app
        self._switchboard = switchboard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or let it go wrong."""
        exempt = scope["type"] != "http" or scope["path"] in {*_OPEN, "/_faults"}
        trouble = None if exempt else self._switchboard.trouble(scope["path"])
        if trouble is None:
            await self._app(scope, receive, send)
        else:
            await self._go_wrong(trouble, scope, receive, send)

    async def _go_wrong(self, trouble: Trouble, scope: Scope, receive: Receive, send: Send) -> None:
        match trouble.do:
            case "status" | "redirect":
                await _error(trouble)(scope, receive, send)
            case "drop":
                await _hang_up(scope, receive)
            case "truncate":
                await self._app(scope, receive, _cut_short(scope, receive, send))
            case "longer_length" | "shorter_length":
                await self._app(scope, receive, _lying(trouble.do, scope, receive))
            case _:  # a stall, or a fault of the file's bytes or entry, which is the routes' part
                await asyncio.sleep(trouble.seconds if trouble.do == "stall" else 0)
                await self._app(scope, receive, send)


def _error(trouble: Trouble) -> Response:
    if trouble.do == "redirect":
        return RedirectResponse(trouble.location, 302)
    headers = {"Retry-After": trouble.retry_after} if trouble.retry_after else None
    return problem(trouble.status, "this is a fault on purpose", headers)


def _cut_short(scope: Scope, receive: Receive, send: Send) -> Send:
    """Return a `send` that stops in the middle of the body, whose full length was announced."""

    async def half(message: Message) -> None:
        if message["type"] != "http.response.body":
            await send(message)
            return
        body = message.get("body", b"")
        await send({**message, "body": body[: len(body) // 2], "more_body": True})
        await _hang_up(scope, receive)

    return half


def _lying(how: str, scope: Scope, receive: Receive) -> Send:
    """Return a `send` that announces twice the body's length or half of it, and sends all of it.

    The connection stays open, as if all were well: it is the client that has to give up.
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
        # A proper server sees to it that length and body agree.
        scope["state"]["write"](head + body)
        await _disconnected(receive)

    return lie


async def _hang_up(scope: Scope, receive: Receive) -> None:
    # Only the sample's own server can close a connection under an application.
    scope["state"]["hang_up"]()
    await _disconnected(receive)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
