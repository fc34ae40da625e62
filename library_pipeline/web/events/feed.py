"""The states of refreshes, followed by one connection and handed on to all subscribers."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any, Final, Literal

import psycopg
import structlog

from library_pipeline.catalog.errors import LibraryError
from library_pipeline.store.database import Database
from library_pipeline.store.snapshots import (
    Snapshot,
    newest_snapshots,
    snapshots,
    unfinished_ids,
)
from library_pipeline.web.events.event import Event, number_after
from library_pipeline.web.events.following import Followed, follow
from library_pipeline.web.events.subscriber import Subscriber

MAX_SUBSCRIBERS: Final = 200
KEPT: Final = 20  # finished refreshes that whoever comes is told of
HEARTBEAT_SECONDS: Final = 15.0
_log = structlog.get_logger(__name__)


class TooManySubscribersError(LibraryError):
    """So many watch already that the server takes no more."""

    def __init__(self) -> None:
        super().__init__(
            "events.too_many_watchers",
            f"{MAX_SUBSCRIBERS} clients watch already; close some, or ask /api/refreshes now and "
            "then",
        )


class Feed:
    """What is known of refreshes, each with a number that rises whenever it changes.

    It belongs to one event loop. The database is followed from the first subscriber on.
    """

    def __init__(
        self,
        database: Database,
        describe: Callable[[Snapshot], Mapping[str, Any]],
        *,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._database = database
        self._describe = describe
        self._heartbeat_seconds = heartbeat_seconds
        self._epoch = secrets.token_hex(4)
        self._number = 0
        self._known: dict[str, Event] = {}
        self._unfinished: set[str] = set()
        self._subscribers: set[Subscriber] = set()
        self._lost: Event | None = None
        self._followed: Followed | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def subscribers(self) -> int:
        """How many watch."""
        return len(self._subscribers)

    @asynccontextmanager
    async def subscribe(
        self, refresh_id: str | None = None, after: str | None = None
    ) -> AsyncIterator[Subscriber]:
        """Yield a mailbox with the current states, less those that a client `after` an id has.

        Raises TooManySubscribersError.
        """
        if len(self._subscribers) >= MAX_SUBSCRIBERS:
            raise TooManySubscribersError
        subscriber = Subscriber(refresh_id, self._heartbeat_seconds)
        self._subscribers.add(subscriber)
        try:
            self._begin(subscriber, number_after(after, self._epoch))
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)

    def close(self) -> None:
        """End all streams; whoever serves this calls it before the server waits for them."""
        for subscriber in self._subscribers:
            subscriber.end()
        if self._task:
            self._task.cancel()

    def _begin(self, subscriber: Subscriber, seen: int) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._follow())
        if self._lost:
            subscriber.put(self._lost)
        for event in sorted(self._known.values(), key=lambda event: event.number):
            if event.number > seen:
                subscriber.put(event)
        # An old one, that nobody has watched so far.
        wanted = subscriber.refresh_id
        if wanted and wanted not in self._known and self._followed:
            self._followed.look_at([wanted])

    async def _follow(self) -> None:
        async with aclosing(follow(self._database, lost=self._tell_of_loss)) as connections:
            async for followed in connections:
                self._followed = followed
                try:
                    await self._read_on(followed)
                except Exception as error:  # who watches must be told of whatever it was
                    _log.warning("events.interrupted", error=type(error).__name__)
                finally:
                    self._followed = None

    async def _read_on(self, followed: Followed) -> None:
        watched = {each.refresh_id for each in self._subscribers if each.refresh_id}
        known = frozenset(watched | self._unfinished)
        self._publish(await followed.read(partial(_everything, ids=known)), afresh=True)
        if self._lost:
            self._lost = None
            self._tell(_connection("restored"))
        async with aclosing(followed.moved()) as moved:
            async for ids in moved:
                # None: nothing has moved for a while, but rates and times have.
                wanted = frozenset(self._unfinished if ids is None else ids)
                if wanted:
                    self._publish(await followed.read(partial(snapshots, ids=wanted)))

    def _publish(self, items: Sequence[Snapshot], *, afresh: bool = False) -> None:
        """Tell of the refreshes that are not as they were; `afresh`, of all of them."""
        for item in items:
            keep = self._unfinished.add if item.unfinished else self._unfinished.discard
            keep(item.refresh_id)
            data = self._describe(item)
            before = self._known.get(item.refresh_id)
            if before and before.data == data and not afresh:
                continue
            self._number += 1
            event = Event("refresh", item.refresh_id, data, self._epoch, self._number)
            self._known[item.refresh_id] = event
            self._tell(event)
        self._forget()

    def _forget(self) -> None:
        """Keep no more than newcomers are told of: what is unfinished, watched, or moved last."""
        needed = self._unfinished | {each.refresh_id for each in self._subscribers}
        newest_first = sorted(self._known.values(), key=lambda event: -event.number)
        for event in [each for each in newest_first if each.key not in needed][KEPT:]:
            del self._known[event.key]

    def _tell(self, event: Event) -> None:
        for subscriber in self._subscribers:
            subscriber.put(event)

    def _tell_of_loss(self) -> None:
        if self._lost is None:
            reason = "the database does not answer; what is shown may be out of date"
            self._lost = _connection("lost", reason=reason)
            self._tell(self._lost)


def _connection(state: Literal["lost", "restored"], **more: str) -> Event:
    """Return what is said of the database; no refresh has an empty id for its key."""
    return Event("connection", "", {"state": state, **more})


def _everything(connection: psycopg.Connection, ids: frozenset[str]) -> list[Snapshot]:
    """Return the newest refreshes, those that are unfinished, and `ids`; oldest first."""
    newest = newest_snapshots(connection, KEPT)
    others = {*ids, *unfinished_ids(connection)} - {item.refresh_id for item in newest}
    items = [*newest, *snapshots(connection, others)]
    return sorted(items, key=lambda item: (item.started_at, item.refresh_id))
