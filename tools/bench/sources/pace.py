"""How well a set rate is kept, by the server's clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import httpx

from library_pipeline.sources.http.client import Client
from library_pipeline.sources.http.connection import CmsConnection
from library_pipeline.sources.http.page_reader import PageReader

RATES: Final = {50.0: 400, 5.0: 40, 10 / 60: 11}  # a second, with as many requests each
_BEGINNING: Final = 0.1  # of the requests, before the rate is steady


@dataclass(frozen=True, slots=True)
class Kept:
    """The rate that was set, and the one that the server saw of a client."""

    client: str
    wanted: float
    measured: float

    @property
    def off(self) -> float:
        """How far the measured rate is from the set one, as a share of it."""
        return self.measured / self.wanted - 1


def measure_pace(url: str) -> list[Kept]:
    """Ask the server at `url` at each rate, with each client; three minutes in all."""
    return [
        Kept(name, rate, _measured(url, rate, ask)) for rate in RATES for name, ask in _WAYS.items()
    ]


def _measured(url: str, rate: float, ask: Callable[[CmsConnection, list[str]], None]) -> float:
    connection = CmsConnection(base_url=url, requests_per_second=rate)
    httpx.get(f"{url}/times")
    ask(connection, [f"{url}/paced/{number}" for number in range(RATES[rate])])
    times: list[float] = httpx.get(f"{url}/times").json()
    steady = times[int(len(times) * _BEGINNING) :]
    return (len(steady) - 1) / (steady[-1] - steady[0])


def _files(connection: CmsConnection, urls: list[str]) -> None:
    async def get_all() -> None:
        async with Client(connection) as client, asyncio.TaskGroup() as group:
            for url in urls:
                group.create_task(client.get(url, 100))

    asyncio.run(get_all())


def _pages(connection: CmsConnection, urls: list[str]) -> None:
    with closing(PageReader(connection)) as reader:
        for url in urls:
            reader.get(url)


_WAYS: Final[Mapping[str, Callable[[CmsConnection, list[str]], None]]] = {
    "Client": _files,
    "PageReader": _pages,
}
