"""How well a set rate is kept, by the server's clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import httpx

from library_pipeline.bundles.file_client import FileClient
from library_pipeline.sources.connection import CmsConnection
from library_pipeline.sources.reader import PageReader

SECONDS: Final = 8
RATES: Final = (50.0, 5.0)
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
    """Ask the server at `url` for as long as each rate takes, with each client."""
    return [
        Kept(name, rate, _measured(url, rate, ask)) for rate in RATES for name, ask in _WAYS.items()
    ]


def _measured(url: str, rate: float, ask: Callable[[CmsConnection, list[str]], None]) -> float:
    connection = CmsConnection(base_url=url, requests_per_second=rate)
    httpx.get(f"{url}/times")
    ask(connection, [f"{url}/paced/{number}" for number in range(round(rate * SECONDS))])
    times: list[float] = httpx.get(f"{url}/times").json()
    steady = times[int(len(times) * _BEGINNING) :]
    return (len(steady) - 1) / (steady[-1] - steady[0])


def _files(connection: CmsConnection, urls: list[str]) -> None:
    async def get_all() -> None:
        async with FileClient(connection) as client, asyncio.TaskGroup() as group:
            for url in urls:
                group.create_task(client.get(url, 100))

    asyncio.run(get_all())


def _pages(connection: CmsConnection, urls: list[str]) -> None:
    with closing(PageReader(connection)) as reader:
        for url in urls:
            reader.get(url)


_WAYS: Final[Mapping[str, Callable[[CmsConnection, list[str]], None]]] = {
    "FileClient": _files,
    "PageReader": _pages,
}
