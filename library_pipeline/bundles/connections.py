"""Kept-alive HTTP/1.1 connections for one request at a time, on httpx's own engine, httpcore.

httpx's client takes more than twice as long for a small file, most of it for what it must not do
here anyway: follow redirects, keep cookies, choose among connections.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import httpcore
import httpx

from library_pipeline.sources.http_client import tls_context
from library_pipeline.sources.proxies import proxy_for

# For the CMS and a listed host or two.
_MOST_KEPT = 3
# As httpx has it: what was idle for longer may have been dropped on the way without a word.
_KEPT_SECONDS = 5.0

_Connection = httpcore.AsyncHTTPConnection | httpcore.AsyncConnectionPool
_SOCKS = ("socks5", "socks5h")


class Slot:
    """Room for one request at a time; keeps its connections, the one used last comes last.

    `backend` connects where there is no proxy, which resolves names by itself.
    """

    def __init__(
        self,
        timeout_seconds: float,
        proxies: Mapping[str, httpx.Proxy],
        backend: httpcore.AsyncNetworkBackend,
    ) -> None:
        self._kept: dict[tuple[bytes, bytes, int | None], _Connection] = {}
        self._proxies = proxies
        self._backend = backend
        phases = ("connect", "read", "write", "pool")
        self._extensions = {"timeout": dict.fromkeys(phases, timeout_seconds)}

    async def ask(self, url: httpx.URL, headers: Mapping[str, str]) -> httpcore.Response:
        """Return the answer to a GET, to be closed before the next; raises TRANSPORT_ERRORS."""
        target = httpcore.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        request = httpcore.Request(
            "GET", target, headers=_headers(url, headers), extensions=self._extensions
        )
        connection = await self._connection(target)
        return await connection.handle_async_request(request)

    async def aclose(self) -> None:
        """Close what is kept."""
        while self._kept:
            await self._kept.popitem()[1].aclose()

    async def _connection(self, url: httpcore.URL) -> _Connection:
        """Return a connection to the URL's origin, a kept one if it still stands."""
        origin = (url.scheme, url.host, url.port)
        connection = self._kept.pop(origin, None)
        if connection is not None and not _usable(connection):
            await connection.aclose()
            connection = None
        while len(self._kept) >= _MOST_KEPT:
            await self._kept.pop(next(iter(self._kept))).aclose()
        connection = connection or self._open(url)
        self._kept[origin] = connection
        return connection

    def _open(self, url: httpcore.URL) -> _Connection:
        """Return a connection, not made yet, to the URL's origin or to the proxy set for it."""
        origin = url.origin
        proxy = proxy_for(self._proxies, url.scheme.decode(), url.host.decode(), origin.port)
        if proxy:
            return _open_proxied(proxy)
        return httpcore.AsyncHTTPConnection(
            origin,
            ssl_context=tls_context(),
            keepalive_expiry=_KEPT_SECONDS,
            network_backend=self._backend,
        )


def _headers(url: httpx.URL, headers: Mapping[str, str]) -> Sequence[tuple[bytes, bytes]]:
    return [
        (b"Host", url.netloc),
        (b"Accept", b"*/*"),
        (b"User-Agent", _USER_AGENT),
        *((name.encode(), value.encode()) for name, value in headers.items()),
    ]


# The same as in requests for the manifest.
_USER_AGENT = f"python-httpx/{httpx.__version__}".encode()


def _usable(connection: _Connection) -> bool:
    if isinstance(connection, httpcore.AsyncConnectionPool):
        return True  # it sees to that itself
    return connection.is_available() and not connection.has_expired()


def _open_proxied(proxy: httpx.Proxy) -> _Connection:
    if proxy.url.scheme in _SOCKS:
        return httpcore.AsyncSOCKSProxy(
            proxy_url=_core_url(proxy.url),
            proxy_auth=proxy.raw_auth,
            ssl_context=tls_context(),
            max_connections=1,
            keepalive_expiry=_KEPT_SECONDS,
        )
    return httpcore.AsyncHTTPProxy(
        proxy_url=_core_url(proxy.url),
        proxy_auth=proxy.raw_auth,
        proxy_headers=proxy.headers.raw,
        ssl_context=tls_context(),
        proxy_ssl_context=proxy.ssl_context,
        max_connections=1,
        keepalive_expiry=_KEPT_SECONDS,
    )


def _core_url(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(
        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
    )
