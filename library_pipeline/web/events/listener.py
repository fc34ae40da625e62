"""Listening to the database for refreshes that move, with new connections when old ones end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import closing
from typing import Any, Final, TypeVar

import psycopg
import structlog

from library_pipeline.database.connection import Database

CHANNEL: Final = "library_refresh"
COALESCE_SECONDS: Final = 0.05
REREAD_SECONDS: Final = 5.0
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
# The keepalives notice within a minute that a peer vanished silently.
_TERMS: Final[dict[str, Any]] = {
    "autocommit": True,
    "application_name": "library-pipeline events",
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
_log = structlog.get_logger(__name__)
T = TypeVar("T")


class Listener:
    """Two working connections: one listens for moved refreshes while the other reads."""

    def __init__(self, listening: psycopg.AsyncConnection, reading: psycopg.Connection) -> None:
        self._listening = listening
        self._reading = reading
        self._moved: set[str] = set()
        self._woken = asyncio.Event()

    async def read(self, read: Callable[[psycopg.Connection], T]) -> T:
        """Run `read` in a thread and return its result. Calls must not overlap."""
        return await asyncio.to_thread(read, self._reading)

    def look_at(self, ids: Collection[str]) -> None:
        """Treat the refreshes `ids` as moved."""
        self._moved.update(ids)
        self._woken.set()

    async def moved(self) -> AsyncGenerator[set[str] | None]:
        """Yield the ids of moved refreshes, at once and then collected over 50 ms.

        Yields None after a while without any. Raises psycopg.OperationalError when the connection
        ends.
        """
        listening = asyncio.create_task(self._listen())
        try:
            while True:
                woken = asyncio.create_task(self._woken.wait())
                await asyncio.wait(
                    (listening, woken),
                    timeout=REREAD_SECONDS,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                woken.cancel()
                if listening.done():
                    listening.result()
                ids, self._moved = self._moved, set()
                self._woken.clear()
                yield ids or None
                await asyncio.sleep(COALESCE_SECONDS)
        finally:
            listening.cancel()

    async def _listen(self) -> None:
        while True:
            async for note in self._listening.notifies(timeout=REREAD_SECONDS):
                self.look_at([note.payload])
            await self._listening.execute("select 1")  # fails if the server is gone


async def follow(database: Database, *, lost: Callable[[], None]) -> AsyncGenerator[Listener]:
    """Yield a listener, and a new one each time its connections end.

    The caller must read everything first, since moves between two listeners are not heard. `lost`
    is called when connections fail or end; the next try follows after 0.2, 0.4, ... seconds, at
    most 5.
    """
    pause = FIRST_PAUSE
    while True:
        try:
            # Both stay open while there are subscribers, so they do not come from the pool.
            async with await psycopg.AsyncConnection.connect(database.url, **_TERMS) as listening:
                await listening.execute(f"listen {CHANNEL}")
                reading = await asyncio.to_thread(psycopg.connect, database.url, **_TERMS)
                with closing(reading):
                    began = time.monotonic()
                    yield Listener(listening, reading)
                    if time.monotonic() - began > LONGEST_PAUSE:
                        pause = FIRST_PAUSE
        except psycopg.OperationalError as error:
            _log.warning("events.no_database", error=type(error).__name__, next_try_in=pause)
        lost()
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
