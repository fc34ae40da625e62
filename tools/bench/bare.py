"""The yardstick: a plain `httpx.AsyncClient` loop over the same files."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import httpx


def bare_downloads(urls: Sequence[str], concurrency: int) -> float:
    """Return the seconds that a plain loop over `urls` takes, `concurrency` at a time."""
    started = time.perf_counter()
    asyncio.run(_get_all(urls, concurrency))
    return time.perf_counter() - started


async def _get_all(urls: Sequence[str], concurrency: int) -> None:
    waiting = iter(urls)

    async def work(client: httpx.AsyncClient) -> None:
        for url in waiting:
            (await client.get(url)).raise_for_status()

    async with httpx.AsyncClient() as client, asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(work(client))
