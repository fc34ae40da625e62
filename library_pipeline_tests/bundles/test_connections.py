"""Slots: connections that are kept, replaced where they do not stand any more, and proxied."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpcore
import httpx
import pytest
from library_pipeline.bundles.connections import Slot

from library_pipeline.sources.http.rules import AllowedAddresses
from library_pipeline.sources.http.transport import (
    TRANSPORT_ERRORS,
    GuardedBackend,
    as_httpx,
    environment_proxies,
)

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


def new_slot() -> Slot:
    backend = GuardedBackend(AllowedAddresses(["127.0.0.1"]))
    return Slot(5.0, environment_proxies(), backend)


async def ask(slot: Slot, url: str) -> bytes:
    answer = await slot.ask(httpx.URL(url), {"X-Test": "yes"})
    try:
        return b"".join([piece async for piece in answer.aiter_stream()])
    finally:
        await answer.aclose()


def with_slot(use: Callable[[Slot], Awaitable[None]]) -> None:
    async def run() -> None:
        slot = new_slot()
        try:
            await use(slot)
        finally:
            await slot.aclose()

    asyncio.run(run())


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_one_connection_serves_many_requests() -> None:
    async def use(slot: Slot) -> None:
        async with serving() as server:
            for number in range(3):
                assert await ask(slot, f"{server.url}/files/{number}?a=b%20c") == b"ok"
            assert server.connections == 1
            assert server.requests[2].startswith("GET /files/2?a=b%20c HTTP/1.1\r\n")
            assert f"Host: {server.url.removeprefix('http://')}\r\n" in server.requests[2]
            assert "X-Test: yes\r\n" in server.requests[2]

    with_slot(use)


def test_a_connection_that_the_server_closed_is_replaced() -> None:
    """Servers close connections after so many requests or seconds; no component fails for it."""

    async def use(slot: Slot) -> None:
        async with serving(hang_up=True) as server:
            for _ in range(3):
                assert await ask(slot, server.url) == b"ok"
                await asyncio.sleep(0.02)
            assert server.connections == 3

    with_slot(use)


def test_an_answer_that_was_not_read_to_its_end_costs_its_connection_only() -> None:
    async def use(slot: Slot) -> None:
        async with serving() as server:
            await (await slot.ask(httpx.URL(server.url), {})).aclose()
            assert await ask(slot, server.url) == b"ok"

    with_slot(use)


def test_a_few_connections_are_kept_the_oldest_goes() -> None:
    async def use(slot: Slot) -> None:
        async with serving() as one, serving() as two, serving() as three, serving() as four:
            for server in (one, two, three, one, four, one, two):
                await ask(slot, server.url)
            assert [s.connections for s in (one, two, three, four)] == [1, 2, 1, 1]

    with_slot(use)


@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy"])
def test_a_proxy_is_asked_where_one_is_set(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    async def use_proxy() -> None:
        async with serving() as proxy:
            monkeypatch.setenv(variable, proxy.url.replace("http://", "http://me:secret@"))
            slot = new_slot()
            assert await ask(slot, "http://cms.invalid/files/1") == b"ok"
            assert proxy.requests[0].startswith("GET http://cms.invalid/files/1 HTTP/1.1\r\n")
            assert "Proxy-Authorization: Basic bWU6c2VjcmV0\r\n" in proxy.requests[0]
            await slot.aclose()

    asyncio.run(use_proxy())


def test_no_proxy_is_asked_for_a_host_that_is_exempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    async def use(slot: Slot) -> None:
        async with serving() as server:
            assert await ask(slot, server.url) == b"ok"

    with_slot(use)


@pytest.mark.parametrize("kind", TRANSPORT_ERRORS)
def test_httpcores_errors_have_names_that_httpx_knows(kind: type[Exception]) -> None:
    kinds = [kind, *kind.__subclasses__()]
    assert [type(as_httpx(k("why"))).__name__ for k in kinds] == [k.__name__ for k in kinds]
    assert isinstance(as_httpx(httpcore.ReadTimeout("why")), httpx.TimeoutException)
