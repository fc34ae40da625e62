"""httpx's way to a CMS: through the environment's proxy, or to checked addresses only."""

from __future__ import annotations

from collections.abc import Iterator

import httpcore
import httpx

from library_pipeline.sources.connection import CmsConnection
from library_pipeline.sources.guarded import GuardedBackend
from library_pipeline.sources.http_client import TRANSPORT_ERRORS, as_httpx, tls_context
from library_pipeline.sources.proxies import environment_proxies, proxy_for

_KEPT_SECONDS = 5.0  # as httpx has it
_PORTS = {"http": 80, "https": 443}


def open_client(connection: CmsConnection) -> httpx.Client:
    """Return a client for one CMS, to be closed; its errors are httpx's and AddressRefused."""
    return httpx.Client(
        transport=CmsTransport(connection),
        timeout=connection.timeout_seconds,
        follow_redirects=False,
    )


class CmsTransport(httpx.BaseTransport):
    """Adds the query's key, where there is one, below everything that could log or keep the URL."""

    def __init__(self, connection: CmsConnection) -> None:
        self._connection = connection
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls_context(),
            keepalive_expiry=_KEPT_SECONDS,
            network_backend=GuardedBackend(connection.addresses),
        )
        self._proxied = {
            scheme: httpx.HTTPTransport(verify=tls_context(), proxy=proxy)
            for scheme, proxy in environment_proxies().items()
        }

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer; raises httpx.TransportError or AddressRefused."""
        url = httpx.URL(self._connection.url_for(str(request.url)))
        port = url.port or _PORTS.get(url.scheme, 0)
        if proxied := proxy_for(self._proxied, url.scheme, url.host, port):
            asked = httpx.Request(
                request.method, url, headers=request.headers, extensions=request.extensions
            )
            return proxied.handle_request(asked)
        try:
            answer = self._pool.handle_request(_core_request(request, url))
        except TRANSPORT_ERRORS as error:
            raise as_httpx(error) from error
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()
        for transport in self._proxied.values():
            transport.close()


class _Body(httpx.SyncByteStream):
    """An answer's body, with httpx's errors."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._answer.iter_stream()
        except TRANSPORT_ERRORS as error:
            raise as_httpx(error) from error

    def close(self) -> None:
        self._answer.close()


def _core_request(request: httpx.Request, url: httpx.URL) -> httpcore.Request:
    return httpcore.Request(
        request.method,
        httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        headers=request.headers.raw,
        content=request.read(),
        extensions=request.extensions,
    )
