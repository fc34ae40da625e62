"""An httpx transport with checked addresses, the environment's proxies, and kept connections.

A name is resolved once, its addresses are checked, and the connection goes to one of them. If
httpcore resolved the name again, its name server could give another answer by then (DNS
rebinding). Certificates are still checked against the name, which httpcore takes from the URL.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from ipaddress import ip_address
from itertools import chain, zip_longest
from typing import Any, cast
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from library_pipeline.sources.http.rules import Address, AllowedAddresses, literal_address, port_of

TRANSPORT_ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)
# The same as in httpx: on the way, something may silently drop a connection that idles for longer.
_KEPT_SECONDS = 5.0
# How long one address may take while there is another. RFC 8305 (5) allows at most 2 seconds.
_PATIENCE_SECONDS = 1.0
_Origin = tuple[bytes, bytes, int | None]


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Return the one TLS context; reading the certificates takes longer than many requests."""
    return httpx.create_ssl_context()


class Transport(httpx.AsyncBaseTransport):
    """Sends each request on a connection that idles, or on a new one. For one event loop.

    httpx's own pool takes more than twice as long for a small file. This one sets no limit on
    connections: there are as many as its caller has requests under way.
    """

    def __init__(self, addresses: AllowedAddresses) -> None:
        """Connect to `addresses` only, and to any address behind a proxy of the environment."""
        self._backend = GuardedBackend(addresses)
        self._proxied = {
            scheme: httpx.AsyncHTTPTransport(verify=tls_context(), proxy=proxy)
            for scheme, proxy in environment_proxies().items()
        }
        # The connection used last is used next, so that a slow CMS sees few connections.
        self._idle = defaultdict[_Origin, list[httpcore.AsyncHTTPConnection]](list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer, whose body is not read yet; raises httpx's errors, AddressRefused."""
        url = request.url
        if self._proxied and (proxied := self._proxy_for(url)):
            return await proxied.handle_async_request(request)
        target = httpcore.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        idle = self._idle[target.scheme, target.host, target.port]
        connection = await self._connection(target, idle)
        try:
            answer = await connection.handle_async_request(
                httpcore.Request(
                    request.method,
                    target,
                    headers=request.headers.raw,
                    extensions=request.extensions,
                )
            )
        except TRANSPORT_ERRORS as error:
            await connection.aclose()
            raise as_httpx(error) from error
        except BaseException:
            await connection.aclose()
            raise
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Body(answer, connection, idle)
        )

    async def aclose(self) -> None:
        """Close all connections that idle."""
        for connection in chain.from_iterable(self._idle.values()):
            await connection.aclose()
        self._idle.clear()
        for transport in self._proxied.values():
            await transport.aclose()

    async def _connection(
        self, url: httpcore.URL, idle: list[httpcore.AsyncHTTPConnection]
    ) -> httpcore.AsyncHTTPConnection:
        """Return a connection that still stands, or a new one that is not made yet."""
        while idle:
            connection = idle.pop()
            if connection.is_available() and not connection.has_expired():
                return connection
            await connection.aclose()
        return httpcore.AsyncHTTPConnection(
            url.origin,
            ssl_context=tls_context(),
            keepalive_expiry=_KEPT_SECONDS,
            network_backend=self._backend,
        )

    def _proxy_for(self, url: httpx.URL) -> httpx.AsyncHTTPTransport | None:
        proxy = self._proxied.get(url.scheme) or self._proxied.get("all")
        return None if proxy is None or proxy_bypass(f"{url.host}:{port_of(url)}") else proxy


class _Body(httpx.AsyncByteStream):
    """An answer's body. Closing it returns the connection to those that idle."""

    def __init__(
        self,
        answer: httpcore.Response,
        connection: httpcore.AsyncHTTPConnection,
        idle: list[httpcore.AsyncHTTPConnection],
    ) -> None:
        self._answer, self._connection, self._idle = answer, connection, idle

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._answer.aiter_stream():
                yield piece
        except TRANSPORT_ERRORS as error:
            raise as_httpx(error) from error

    async def aclose(self) -> None:
        await self._answer.aclose()
        if self._connection.is_available():
            self._idle.append(self._connection)
        else:
            await self._connection.aclose()


def as_httpx(error: Exception) -> httpx.TransportError:
    """Return one of TRANSPORT_ERRORS as httpx's error of the same name."""
    kind = getattr(httpx, type(error).__name__, httpx.TransportError)
    return kind(str(error))


def environment_proxies() -> dict[str, httpx.Proxy]:
    """Return the proxies in HTTP_PROXY, HTTPS_PROXY and ALL_PROXY by scheme; `all` is for any.

    A proxy resolves names itself, so addresses behind one are not checked.
    """
    found = {scheme: getproxies().get(scheme) for scheme in ("http", "https", "all")}
    return {scheme: _proxy(url) for scheme, url in found.items() if url}


def _proxy(url: str) -> httpx.Proxy:
    proxy = httpx.Proxy(url if "://" in url else f"http://{url}")
    if proxy.url.scheme == "https":  # httpcore takes a context for no other scheme
        proxy.ssl_context = tls_context()
    return proxy


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to allowed addresses only; raises AddressRefused if a host has no such address."""

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
        addresses = self._allowed.among(host, await _resolve(host, port, timeout))
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address, patience in _with_patience(_by_turns(addresses), timeout, started):
            try:
                return await self._backend.connect_tcp(
                    str(address), port, patience, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


async def _resolve(host: str, port: int, timeout: float | None) -> list[Address]:
    """Return the addresses of `host`, each once."""
    if literal := literal_address(host):
        return [literal]
    try:
        async with asyncio.timeout(timeout):
            found: Sequence[tuple[Any, ...]] = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )
    except TimeoutError as error:
        raise httpcore.ConnectTimeout(f"{host} could not be resolved in time") from error
    except (OSError, UnicodeError) as error:  # UnicodeError: a label that no name can have
        raise httpcore.ConnectError(str(error)) from error
    return [ip_address(text) for text in dict.fromkeys(str(entry[4][0]) for entry in found)]


def _by_turns(addresses: Sequence[Address]) -> list[Address]:
    """Return the addresses with IPv6 and IPv4 in turns, as one of the two may not work at all."""
    first = [each for each in addresses if each.version == addresses[0].version]
    other = [each for each in addresses if each.version != addresses[0].version]
    return [each for each in chain(*zip_longest(first, other)) if each is not None]


def _with_patience(
    addresses: Sequence[Address], timeout: float | None, started: float
) -> Iterator[tuple[Address, float | None]]:
    """Yield each address with its seconds to answer; the last gets the rest of `timeout`."""
    for number, address in enumerate(addresses, 1):
        left = None if timeout is None else max(0.001, started + timeout - time.monotonic())
        last = number == len(addresses)
        yield address, left if last else min(_PATIENCE_SECONDS, left or _PATIENCE_SECONDS)
