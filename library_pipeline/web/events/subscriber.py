"""One watcher's mailbox: the latest event of each key, so that it never grows while one waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from library_pipeline.web.events.event import HEARTBEAT, Event


class Subscriber:
    """What one client has yet to be sent; of one refresh if `refresh_id` is given, else of all."""

    def __init__(self, refresh_id: str | None, heartbeat_seconds: float) -> None:
        self.refresh_id = refresh_id
        self._heartbeat_seconds = heartbeat_seconds
        self._unsent: dict[str, Event] = {}
        self._woken = asyncio.Event()
        self._ended = False

    def put(self, event: Event) -> None:
        """Have the event sent, in the place of an earlier one of its key."""
        if event.name == "refresh" and self.refresh_id not in (None, event.key):
            return
        # To the end, so that numbers only ever rise and the last one sent stands for all before.
        self._unsent.pop(event.key, None)
        self._unsent[event.key] = event
        self._woken.set()

    def end(self) -> None:
        """Have `events` end after what is unsent."""
        self._ended = True
        self._woken.set()

    async def events(self) -> AsyncIterator[Event]:
        """Yield what is to be sent, and a heartbeat where nothing has been for a while."""
        while True:
            while self._unsent:
                yield self._unsent.pop(next(iter(self._unsent)))
            if self._ended:
                return
            self._woken.clear()
            try:
                async with asyncio.timeout(self._heartbeat_seconds):
                    await self._woken.wait()
            except TimeoutError:
                yield HEARTBEAT
