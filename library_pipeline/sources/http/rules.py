"""Which URLs and IP addresses may be asked. No I/O.

URLs: the CMS's own origin and the listed hosts. Addresses: public ones, the listed hosts that are
addresses themselves, and the listed networks. A host that its name allows may still lead inside,
for example to a cloud's metadata service (server-side request forgery).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal, Protocol

import httpx

from library_pipeline.catalog.errors import LibraryError
from library_pipeline.settings.fields import network
from library_pipeline.sources.text import redacted, shorten

MAX_URL_LENGTH = 8192
_PORTS = {"http": 80, "https": 443}
# Some parsers read a backslash as a slash; the other characters cannot stand in a URL at all.
_NEVER_IN_A_URL = re.compile(r"[\x00-\x20\x7f\\\ud800-\udfff]")

Address = IPv4Address | IPv6Address
# All addresses for use on the internet (RFC 4291, 2.4); `is_global` misses some exceptions.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address

Refusal = Literal[
    "relative_url", "bad_scheme", "bad_url", "foreign_origin", "private_address", "foreign_path"
]


class UrlRefused(LibraryError, ValueError):
    """A URL must not be asked; `code` names the rule that it breaks."""

    def __init__(self, code: Refusal, message: str) -> None:
        super().__init__(code, message)


class AddressRefused(UrlRefused):
    """A host's addresses are neither public nor listed."""

    def __init__(self, host: str, address: Address, key: str) -> None:
        shown = _plain(address)
        super().__init__(
            "private_address",
            f"host {shorten(host)} is at {shown}, which is not a public address; if it is meant, "
            f"list it in {key}.allowed_networks, like {ip_network(shown)}",
        )
        self.host, self.address = host, address


class FileRule(Protocol):
    """Which URLs a source's files may have."""

    def check(self, url: str) -> None:
        """Raise UrlRefused unless a file may be at `url`."""
        ...


class NoFiles:
    """The rule of a source that lists neither a folder nor a host."""

    def check(self, url: str) -> None:
        """Raise UrlRefused."""
        raise UrlRefused("foreign_origin", "this source has no files; list a host in allowed_hosts")


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port (RFC 6454)."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + (
            "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        )


def origin_of(url: str) -> Origin:
    """Return the origin of an absolute http(s) URL; raises UrlRefused.

    The client asks with the same parser, so both see the same host.
    """
    if len(url) > MAX_URL_LENGTH:
        raise UrlRefused("bad_url", f"the URL is longer than {MAX_URL_LENGTH} characters")
    if _NEVER_IN_A_URL.search(url):
        raise UrlRefused("bad_url", "the URL holds a space, backslash or control character")
    try:
        parsed = httpx.URL(url)
        host = parsed.host
    except (httpx.InvalidURL, ValueError) as error:
        raise UrlRefused("bad_url", "this is not a valid URL") from error
    if not parsed.scheme:
        raise UrlRefused("relative_url", "the URL is relative; it must be absolute")
    if parsed.scheme not in _PORTS:
        raise UrlRefused(
            "bad_scheme", f"scheme {shorten(parsed.scheme)} is not allowed, only http and https"
        )
    if not host:
        raise UrlRefused("bad_url", "the URL names no host")
    if parsed.userinfo:
        raise UrlRefused("bad_url", "the URL holds a user name or password")
    return Origin(parsed.scheme, host, port_of(parsed))


def port_of(url: httpx.URL) -> int:
    """Return the port that a URL names, or that of its scheme."""
    return url.port or _PORTS.get(url.scheme, 0)


class AllowedOrigins:
    """The origin of the CMS, and the listed hosts (`host` or `host:port`) that may keep files."""

    def __init__(
        self, base_url: str, allowed_hosts: Iterable[str] = (), *, key: str = "cms"
    ) -> None:
        """Allow these; messages call the CMS's settings `key`."""
        self._key = key
        self.cms = origin_of(base_url)
        # A CMS on https never causes a request in the clear.
        schemes = ("https", "http") if self.cms.scheme == "http" else ("https",)
        listed = {origin_of(f"{scheme}://{host}") for host in allowed_hosts for scheme in schemes}
        self.origins = frozenset({self.cms, *listed})
        # Nothing after "scheme://host:port/" can name another host, so these need no parsing.
        self._prefixes = tuple(f"{origin}/" for origin in self.origins)

    def check(self, url: str) -> None:
        """Raise UrlRefused unless `url` may be asked."""
        if (
            url.startswith(self._prefixes)
            and len(url) <= MAX_URL_LENGTH
            and not _NEVER_IN_A_URL.search(url)
        ):
            return
        origin = origin_of(url)
        if origin not in self.origins:
            raise UrlRefused(
                "foreign_origin",
                f"host {shorten(origin.host)} ({origin}) is not the CMS's ({self.cms}) and not in "
                f"{self._key}.allowed_hosts; list it there if the CMS keeps files on it",
            )

    def may_have_token(self, url: str) -> bool:
        """Return whether the CMS's token may go with a request for `url`."""
        return url.startswith(f"{self.cms}/") or origin_of(url) == self.cms

    def redirect_target(self, url: str, location: str) -> str:
        """Return where a redirect from `url` leads; raises UrlRefused for a forbidden target."""
        try:
            target = str(httpx.URL(url).join(location))
        except (httpx.InvalidURL, ValueError) as error:
            raise UrlRefused("bad_url", "the redirect names no valid URL") from error
        self.check(target)
        return target


def describe_refusal(url: str, refused: UrlRefused) -> str:
    """Return the refusal together with the URL, without its secrets."""
    return f"{redacted(url)}: {refused}"


def literal_address(host: str) -> Address | None:
    """Return the address that a URL's host spells out, or None for a name.

    Other notations, such as 2130706433 or 0x7f.1, count as names: they are resolved, and then
    their address is checked.
    """
    try:
        return ip_address(host)
    except ValueError:
        return None


def is_public(address: Address) -> bool:
    """Return whether `address` means the same machine everywhere on the internet."""
    carried = _carried(address)
    if carried is not None:
        return is_public(carried)
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast


class AllowedAddresses:
    """Public addresses, `networks`, and the addresses of those `hosts` that need no name server.

    Such a host is an address, which lists itself, or `localhost`, which lists the loopback. This
    holds for URLs with exactly that host; a name that resolves to the same address needs a network.
    """

    def __init__(
        self, hosts: Iterable[str] = (), networks: Iterable[str] = (), *, key: str = "cms"
    ) -> None:
        """Allow these; messages call the CMS's settings `key`."""
        self._key = key
        listed = frozenset(hosts)
        self._localhost = "localhost" in listed
        self._literals = {_plain(found) for host in listed if (found := literal_address(host))}
        self._networks = tuple(ip_network(network(each)) for each in networks)

    def allow(self, host: str, address: Address) -> bool:
        """Return whether `address` may be connected to when a URL names `host`."""
        plain = _plain(address)
        return (
            is_public(plain)
            or any(plain in each for each in self._networks)
            or self._lists_itself(host, plain)
        )

    def among(self, host: str, found: Iterable[Address]) -> list[Address]:
        """Return the allowed ones of a host's addresses, in the given order.

        Raises AddressRefused if there are addresses but none is allowed.
        """
        candidates = list(found)
        allowed = [address for address in candidates if self.allow(host, address)]
        if candidates and not allowed:
            raise AddressRefused(host, candidates[0], self._key)
        return allowed

    def _lists_itself(self, host: str, address: Address) -> bool:
        if host == "localhost":
            return self._localhost and address.is_loopback
        literal = literal_address(host)
        return literal is not None and _plain(literal) == address and address in self._literals


def _plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv4-mapped IPv6 address stands for, else `address`."""
    return getattr(address, "ipv4_mapped", None) or address


def _carried(address: Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address carries (mapped, 6to4, NAT64)."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour
