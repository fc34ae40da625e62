"""Which IP addresses may be connected to: public ones, and those that are listed. No I/O.

A host that is allowed by its name may still lead inside, to a cloud's metadata for one, if
whoever answers for that name wants it so (server-side request forgery).
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from library_pipeline.settings.checks import network
from library_pipeline.sources.origins import UrlRefused
from library_pipeline.sources.wording import shorten

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# All that is given out for use on the internet (RFC 4291, 2.4); `is_global` knows less.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


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


def literal_address(host: str) -> Address | None:
    """Return the address that a URL's host is, None where it is a name.

    Other notations, 2130706433 or 0x7f.1, count as names: they must resolve, and are judged then.
    """
    try:
        return ip_address(host)
    except ValueError:
        return None


def is_public(address: Address) -> bool:
    """Return whether everyone on the internet means the same machine by `address`."""
    carried = _carried(address)
    if carried is not None:
        return is_public(carried)
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast


class AllowedAddresses:
    """Public addresses, `networks`, and what those of `hosts` mean that are no names to resolve.

    Such a host is an address, which lists itself, or `localhost`, which lists the loopback. It
    does so for URLs with that very host; a name that resolves to the same address needs a network.
    """

    def __init__(
        self, hosts: Iterable[str] = (), networks: Iterable[str] = (), *, key: str = "cms"
    ) -> None:
        """Allow these; `key` is what the settings call the CMS, for messages."""
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
        """Return those of a host's addresses that may be connected to, in their order.

        Raises AddressRefused where there are only others.
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
    """Return the IPv4 address where `address` is but another way to write it."""
    return getattr(address, "ipv4_mapped", None) or address


def _carried(address: Address) -> IPv4Address | None:
    """Return the IPv4 address that packets to an IPv6 address end up at (mapped, 6to4, NAT64)."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour
