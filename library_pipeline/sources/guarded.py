"""Connections to checked addresses only: network backends for httpcore, in threads and asyncio.

A name is resolved once, its addresses are checked, and one of those is connected to. Had httpcore
the name to resolve anew, whoever answers for it could say something else by then (DNS rebinding).
Certificates are still checked against the name: httpcore takes it from the URL.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address
from itertools import chain, zip_longest
from typing import Any, cast

import httpcore

from library_pipeline.sources.addresses import Address, AllowedAddresses, literal_address

_FAILED = (httpcore.ConnectError, httpcore.ConnectTimeout)
# How long an address is waited for while there is another. RFC 8305 (5) has at most 2 seconds.
_PATIENCE_SECONDS = 1.0


class GuardedBackend(httpcore.NetworkBackend):
    """Connects threads to addresses that are allowed; raises AddressRefused before it would not."""

    def __init__(
        self, allowed: AllowedAddresses, backend: httpcore.NetworkBackend | None = None
    ) -> None:
        self._allowed = allowed
        self._backend = backend or httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Return a connection to the first address of `host` that answers."""
        started = time.monotonic()
        addresses = self._allowed.among(host, _resolve(host, port))
        failure: Exception = _no_address(host)
        for address, patience in _each(_by_turns(addresses), timeout, started):
            try:
                return self._backend.connect_tcp(
                    str(address), port, patience, local_address, socket_options
                )
            except _FAILED as error:
                failure = error
        raise failure


class GuardedAsyncBackend(httpcore.AsyncNetworkBackend):
    """Connects asyncio's tasks to allowed addresses; raises AddressRefused before it would not."""

    def __init__(
        self, allowed: AllowedAddresses, backend: httpcore.AsyncNetworkBackend | None = None
    ) -> None:
        self._allowed = allowed
        self._backend = backend or cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Return a connection to the first address of `host` that answers."""
        started = time.monotonic()
        addresses = self._allowed.among(host, await _resolve_async(host, port, timeout))
        failure: Exception = _no_address(host)
        for address, patience in _each(_by_turns(addresses), timeout, started):
            try:
                return await self._backend.connect_tcp(
                    str(address), port, patience, local_address, socket_options
                )
            except _FAILED as error:
                failure = error
        raise failure


def _resolve(host: str, port: int) -> list[Address]:
    if literal := literal_address(host):
        return [literal]
    try:
        return _addresses(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError) as error:  # the latter for labels that no name can have
        raise httpcore.ConnectError(str(error)) from error


async def _resolve_async(host: str, port: int, timeout: float | None) -> list[Address]:
    if literal := literal_address(host):
        return [literal]
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout):
            return _addresses(await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except TimeoutError as error:
        raise httpcore.ConnectTimeout(f"{host} could not be resolved in time") from error
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(str(error)) from error


def _addresses(found: Sequence[tuple[Any, ...]]) -> list[Address]:
    """Return the addresses in what getaddrinfo found, each once."""
    return [ip_address(text) for text in dict.fromkeys(str(entry[4][0]) for entry in found)]


def _by_turns(addresses: Sequence[Address]) -> list[Address]:
    """Return the addresses with IPv6 and IPv4 taking turns, as one of both may not work at all."""
    first = [each for each in addresses if each.version == addresses[0].version]
    other = [each for each in addresses if each.version != addresses[0].version]
    return [each for each in chain(*zip_longest(first, other)) if each is not None]


def _each(
    addresses: Sequence[Address], timeout: float | None, started: float
) -> Iterator[tuple[Address, float | None]]:
    """Yield each address with how long to wait for it; the last gets what is left of `timeout`."""
    for number, address in enumerate(addresses, 1):
        left = None if timeout is None else max(0.001, started + timeout - time.monotonic())
        last = number == len(addresses)
        yield address, left if last else min(_PATIENCE_SECONDS, left or _PATIENCE_SECONDS)


def _no_address(host: str) -> httpcore.ConnectError:
    return httpcore.ConnectError(f"{host} has no address")
