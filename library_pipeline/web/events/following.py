"""Following the database: LISTEN on one connection, reading by another, both anew when they end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import ExitStack
from typing import Any, Final, TypeVar

import psycopg
import structlog

from library_pipeline.store.database import Database

CHANNEL: Final = "library_refresh"
COALESCE_SECONDS: Final = 0.05
REREAD_SECONDS: Final = 5.0
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
# A peer that vanished without a word is noticed within a minute.
_NAME: Final = "library-pipeline events"
_ALIVE: Final[dict[str, Any]] = {
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
_log = structlog.get_logger(__name__)
T = TypeVar("T")


class Followed:
    """A pair of connections that work; what moves is collected while something is being read."""

    def __init__(self, listening: psycopg.AsyncConnection, reading: psycopg.Connection) -> None:
        self._listening = listening
        self._reading = reading
        self._moved: set[str] = set()
        self._woken = asyncio.Event()

    async def read(self, read: Callable[[psycopg.Connection], T]) -> T:
        """Return what `read` reads, in a thread; one at a time."""
        return await asyncio.to_thread(read, self._reading)

    def look_at(self, ids: Collection[str]) -> None:
        """Have `ids` among those that have moved."""
        self._moved.update(ids)
        self._woken.set()

    async def moved(self) -> AsyncGenerator[set[str] | None]:
        """Yield ids of refreshes that have moved, at once and then together every 50 ms at most.

        Yields None when none has for a while. Raises psycopg.OperationalError at the end of the
        connection.
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
            await self._listening.execute("select 1")  # whether anybody is there


def _connected(database: Database) -> psycopg.Connection:
    """Return a connection of its own: it is held as long as anybody watches."""
    return psycopg.connect(database.url, autocommit=True, application_name=_NAME, **_ALIVE)


async def follow(database: Database, *, lost: Callable[[], None]) -> AsyncGenerator[Followed]:
    """Yield connections that listen already, anew whenever the last ones have come to an end.

    Whoever iterates reads everything first: what moved in between was not heard. `lost` is called
    when there are none; the next try is after 0.2, 0.4, ... seconds, at most 5.
    """
    pause = FIRST_PAUSE
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(
                database.url,
                autocommit=True,
                application_name=_NAME,
                **_ALIVE,
            ) as listening:
                await listening.execute(f"listen {CHANNEL}")
                with ExitStack() as stack:
                    reading = await asyncio.to_thread(_connected, database)
                    stack.callback(reading.close)
                    began = time.monotonic()
                    yield Followed(listening, reading)
                    if time.monotonic() - began > LONGEST_PAUSE:
                        pause = FIRST_PAUSE
        except psycopg.OperationalError as error:
            _log.warning("events.no_database", error=type(error).__name__, next_try_in=pause)
        lost()
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
