"""The host names that the service answers under, and the headers that protect its pages."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from library_pipeline.settings.fields import web_origin

_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/\\@\s]+)(:\d{1,5})?", re.ASCII)
_EVERYWHERE: Final = ("", "0.0.0.0", "::")  # noqa: S104 - only compared with


@dataclass(frozen=True, slots=True)
class Hosts:
    """The accepted host names; `below` are suffixes, `addresses` accepts every IP address."""

    names: frozenset[str]
    below: tuple[str, ...]
    addresses: bool

    def __contains__(self, header: str) -> bool:
        """Whether a `Host` header names this service; the port is ignored."""
        match = _HOST.fullmatch(header.strip())
        if match is None:
            return False
        host = _plain(match[1])
        if host == "localhost" or host in self.names or host.endswith(self.below):
            return True
        address = _address(host)
        return address is not None and (self.addresses or address.is_loopback)


def hosts(listening: str, allowed: Sequence[str]) -> Hosts:
    """Return the host names of a service that listens on `listening`, and the `allowed` ones.

    `*.example.com` stands for every name below example.com, `*` for every name.
    """
    names = {_plain(each) for each in (listening, *allowed) if each}
    below = tuple(each.removeprefix("*") for each in names if each.startswith("*"))
    return Hosts(frozenset(names), below, listening in _EVERYWHERE)


def is_loopback(listening: str) -> bool:
    """Whether only this machine can reach a service that listens on `listening`."""
    address = _address(_plain(listening))
    return listening == "localhost" or (address is not None and address.is_loopback)


def is_origin_of(origin: str, host: str) -> bool:
    """Whether the `Host` header `host` has the origin `origin`, by http or https."""
    try:
        own = {web_origin(f"{scheme}://{host}") for scheme in ("http", "https")}
        return web_origin(origin) in own
    except ValueError:  # such as the origin `null`
        return False


def _plain(host: str) -> str:
    return host.strip().strip("[]").rstrip(".").lower()


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "img-src 'self' data:",
        "style-src 'self'",
        "script-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class SecurityHeaders:
    """Adds `HEADERS` to every response that does not set them itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and its response back with the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, secured)
