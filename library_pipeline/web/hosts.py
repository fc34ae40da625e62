"""Under which names the service answers.

A page that somebody visits can have its own name lead to this machine (DNS rebinding), and then
read what is served here as its own: only the name in `Host` tells it from who means this service.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from library_pipeline.settings.fields import web_origin

_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/\\@\s]+)(:\d{1,5})?", re.ASCII)
_EVERYWHERE: Final = ("", "0.0.0.0", "::")  # noqa: S104 - this is where it is noticed


@dataclass(frozen=True, slots=True)
class Hosts:
    """Names and addresses that are this service. `addresses`: any address, as no page has one."""

    names: frozenset[str]
    below: tuple[str, ...]
    addresses: bool

    def __contains__(self, header: str) -> bool:
        """Whether a `Host` header names this service; its port is not looked at."""
        match = _HOST.fullmatch(header.strip())
        if match is None:
            return False
        host = _plain(match[1])
        if host == "localhost" or host in self.names or host.endswith(self.below):
            return True
        address = _address(host)
        return address is not None and (self.addresses or address.is_loopback)


def hosts(listening: str, allowed: Sequence[str]) -> Hosts:
    """Return what the service is called that listens at `listening`, and as `allowed` say.

    `*.example.com` stands for every name below example.com, `*` for every name there is.
    """
    names = {_plain(each) for each in (listening, *allowed) if each}
    below = tuple(each.removeprefix("*") for each in names if each.startswith("*"))
    return Hosts(frozenset(names), below, listening in _EVERYWHERE)


def is_loopback(listening: str) -> bool:
    """Whether only this machine can reach a service that listens there."""
    address = _address(_plain(listening))
    return listening == "localhost" or (address is not None and address.is_loopback)


def is_origin_of(origin: str, host: str) -> bool:
    """Whether a page of `origin` was served under a `Host` header, by http or, before it, https."""
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
