"""The transport: connections that are kept, replaced when they no longer stand, and proxied."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpcore
import httpx
import pytest

from library_pipeline.sources.http.rules import AllowedAddresses
from library_pipeline.sources.http.transport import TRANSPORT_ERRORS, Transport, as_httpx

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """An HTTP server that writes down what it is asked; `hang_up` closes after each answer."""

    def __init__(self, *, hang_up: bool = False) -> None:
        self.connections = 0
        self.requests: list[str] = []
        self.url = ""
        self._hang_up = hang_up

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
                writer.write(ANSWER)
                if self._hang_up:
                    break
        except asyncio.IncompleteReadError:
            pass
        writer.close()


@asynccontextmanager
async def serving(*, hang_up: bool = False) -> AsyncIterator[Server]:
    server = Server(hang_up=hang_up)
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
        server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield server


def new_transport() -> Transport:
    return Transport(AllowedAddresses(["127.0.0.1"]))


def request_of(url: str) -> httpx.Request:
    extensions = {"timeout": httpx.Timeout(5.0).as_dict()}
    return httpx.Request("GET", url, headers={"X-Test": "yes"}, extensions=extensions)


async def ask(transport: Transport, url: str) -> bytes:
    response = await transport.handle_async_request(request_of(url))
    try:
        return await response.aread()
    finally:
        await response.aclose()


def with_transport(use: Callable[[Transport], Awaitable[None]]) -> None:
    async def run() -> None:
        async with new_transport() as transport:
            await use(transport)

    asyncio.run(run())


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_one_connection_serves_many_requests() -> None:
    async def use(transport: Transport) -> None:
        async with serving() as server:
            for number in range(3):
                assert await ask(transport, f"{server.url}/files/{number}?a=b%20c") == b"ok"
            assert server.connections == 1
            assert server.requests[2].startswith("GET /files/2?a=b%20c HTTP/1.1\r\n")
            assert f"Host: {server.url.removeprefix('http://')}\r\n" in server.requests[2]
            assert "X-Test: yes\r\n" in server.requests[2]

    with_transport(use)


def test_a_connection_that_the_server_closed_is_replaced() -> None:
    """Servers close connections after so many requests or seconds; no component fails for it."""

    async def use(transport: Transport) -> None:
        async with serving(hang_up=True) as server:
            for _ in range(3):
                assert await ask(transport, server.url) == b"ok"
                await asyncio.sleep(0.02)
            assert server.connections == 3

    with_transport(use)


def test_an_answer_that_was_not_read_to_its_end_costs_its_connection_only() -> None:
    async def use(transport: Transport) -> None:
        async with serving() as server:
            await (await transport.handle_async_request(request_of(server.url))).aclose()
            assert await ask(transport, server.url) == b"ok"

    with_transport(use)


def test_each_host_keeps_as_many_connections_as_were_in_use_at_once() -> None:
    async def use(transport: Transport) -> None:
        async with serving() as one, serving() as two:
            for _ in range(3):
                for server in (one, two):
                    await ask(transport, server.url)
            assert (one.connections, two.connections) == (1, 1)
            for _ in range(3):
                await asyncio.gather(*(ask(transport, one.url) for _ in range(4)))
            assert (one.connections, two.connections) == (4, 1)

    with_transport(use)


@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy"])
def test_a_proxy_is_asked_where_one_is_set(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    async def use_proxy() -> None:
        async with serving() as proxy:
            monkeypatch.setenv(variable, proxy.url.replace("http://", "http://me:secret@"))
            transport = new_transport()
            assert await ask(transport, "http://cms.invalid/files/1") == b"ok"
            assert proxy.requests[0].startswith("GET http://cms.invalid/files/1 HTTP/1.1\r\n")
            assert "Proxy-Authorization: Basic bWU6c2VjcmV0\r\n" in proxy.requests[0]
            await transport.aclose()

    asyncio.run(use_proxy())


def test_no_proxy_is_asked_for_a_host_that_is_exempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    async def use(transport: Transport) -> None:
        async with serving() as server:
            assert await ask(transport, server.url) == b"ok"

    with_transport(use)


@pytest.mark.parametrize("kind", TRANSPORT_ERRORS)
def test_httpcores_errors_have_names_that_httpx_knows(kind: type[Exception]) -> None:
    kinds = [kind, *kind.__subclasses__()]
    assert [type(as_httpx(k("why"))).__name__ for k in kinds] == [k.__name__ for k in kinds]
    assert isinstance(as_httpx(httpcore.ReadTimeout("why")), httpx.TimeoutException)
