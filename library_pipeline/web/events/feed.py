"""The feed of refreshes: one listener of the process, whose events go to all subscribers."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

import psycopg
import structlog

from library_pipeline.catalog.errors import LibraryError
from library_pipeline.catalog.refresh import Refresh
from library_pipeline.database.connection import Database
from library_pipeline.refresh.log import find_refreshes, newest_refreshes, unfinished_ids
from library_pipeline.web.events.listener import Listener, follow
from library_pipeline.web.refreshes import RefreshService

MAX_SUBSCRIBERS: Final = 200
KEPT: Final = 20  # finished refreshes that a new subscriber gets
HEARTBEAT_SECONDS: Final = 15.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """One message: the whole state of a refresh, or the state of the database connection.

    A later event replaces an earlier one of the same `key`. Events of refreshes are numbered
    within an `epoch`, the life of one process.
    """

    name: Literal["refresh", "connection", "heartbeat"]
    key: str
    data: Mapping[str, Any]
    epoch: str = ""
    number: int = 0

    @property
    def event_id(self) -> str | None:
        """The id that a client sends back to continue after this event, None without a number."""
        return f"{self.epoch}-{self.number}" if self.number else None

    def as_sse(self) -> str:
        """Return the event in the format of an event stream (HTML standard, 9.2)."""
        numbered = f"id: {self.event_id}\n" if self.event_id else ""
        return f"{numbered}event: {self.name}\ndata: {_json(self.data)}\n\n"

    def as_message(self) -> str:
        """Return the event as the text of a WebSocket message."""
        return _json({"event": self.name, "id": self.event_id, "data": self.data})


HEARTBEAT = Event("heartbeat", "", {})


def number_after(event_id: str | None, epoch: str) -> int:
    """Return the last number that a client has seen; 0 if the id belongs to another process."""
    of, _, number = (event_id or "").rpartition("-")
    return int(number) if of == epoch and number.isascii() and number.isdecimal() else 0


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class Subscriber:
    """The events that one client has not got yet, of one refresh or, without `refresh_id`, of all.

    It keeps only the latest event of each key, so it stays small when a client is slow.
    """

    def __init__(self, refresh_id: str | None, heartbeat_seconds: float) -> None:
        self.refresh_id = refresh_id
        self._heartbeat_seconds = heartbeat_seconds
        self._unsent: dict[str, Event] = {}
        self._woken = asyncio.Event()
        self._ended = False

    def put(self, event: Event) -> None:
        """Queue an event; it replaces an earlier one of the same key."""
        if event.name == "refresh" and self.refresh_id not in (None, event.key):
            return
        # Goes to the end, so that numbers only rise and the last one sent covers all before it.
        self._unsent.pop(event.key, None)
        self._unsent[event.key] = event
        self._woken.set()

    def end(self) -> None:
        """Let `events` end after the queued events."""
        self._ended = True
        self._woken.set()

    async def events(self) -> AsyncIterator[Event]:
        """Yield queued events, and a heartbeat after each time without one."""
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


class TooManySubscribersError(LibraryError):
    """`MAX_SUBSCRIBERS` clients watch already, so the server accepts no more."""

    def __init__(self) -> None:
        super().__init__(
            "events.too_many_watchers",
            f"{MAX_SUBSCRIBERS} clients watch already; close some, or ask /api/refreshes from time "
            "to time",
        )


class Feed:
    """The latest event of each refresh, handed on to all subscribers.

    The number of an event rises with each change. A feed belongs to one event loop and follows the
    database from its first subscriber on.
    """

    def __init__(
        self,
        database: Database,
        describe: Callable[[Refresh], Mapping[str, Any]],
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
        self._listener: Listener | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def subscribers(self) -> int:
        """The number of subscribers."""
        return len(self._subscribers)

    @asynccontextmanager
    async def subscribe(
        self, refresh_id: str | None = None, after: str | None = None
    ) -> AsyncIterator[Subscriber]:
        """Yield a subscriber that holds the current states, without those up to the event `after`.

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
        """End all streams. The server calls this before it waits for open responses."""
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
        # An old refresh that had no subscriber so far has no event yet.
        refresh_id = subscriber.refresh_id
        if refresh_id and refresh_id not in self._known and self._listener:
            self._listener.look_at([refresh_id])

    async def _follow(self) -> None:
        async with aclosing(follow(self._database, lost=self._tell_of_loss)) as listeners:
            async for listener in listeners:
                self._listener = listener
                try:
                    await self._read_on(listener)
                except Exception as error:  # subscribers must learn of any interruption
                    _log.warning("events.interrupted", error=type(error).__name__)
                finally:
                    self._listener = None

    async def _read_on(self, listener: Listener) -> None:
        watched = {each.refresh_id for each in self._subscribers if each.refresh_id}
        known = frozenset(watched | self._unfinished)
        self._publish(await listener.read(partial(_everything, ids=known)), afresh=True)
        if self._lost:
            self._lost = None
            self._tell(_connection("restored"))
        async with aclosing(listener.moved()) as moved:
            async for ids in moved:
                # None: no refresh has moved for a while, but rates and times have.
                moved_ids = frozenset(self._unfinished if ids is None else ids)
                if moved_ids:
                    self._publish(await listener.read(partial(find_refreshes, ids=moved_ids)))

    def _publish(self, items: Sequence[Refresh], *, afresh: bool = False) -> None:
        """Publish the refreshes that have changed; with `afresh`, all of them."""
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
        """Keep only events that new subscribers get: unfinished, watched or recently moved ones."""
        needed = self._unfinished | {each.refresh_id for each in self._subscribers}
        newest_first = sorted(self._known.values(), key=lambda event: -event.number)
        for event in [each for each in newest_first if each.key not in needed][KEPT:]:
            del self._known[event.key]

    def _tell(self, event: Event) -> None:
        for subscriber in self._subscribers:
            subscriber.put(event)

    def _tell_of_loss(self) -> None:
        if self._lost is None:
            reason = "the database does not answer; the page may be out of date"
            self._lost = _connection("lost", reason=reason)
            self._tell(self._lost)


def _connection(state: Literal["lost", "restored"], **more: str) -> Event:
    """Return an event about the database. Its key is empty, which no refresh id is."""
    return Event("connection", "", {"state": state, **more})


def _everything(connection: psycopg.Connection, ids: frozenset[str]) -> list[Refresh]:
    """Return the newest and all unfinished refreshes, and those of `ids`; oldest first."""
    newest = newest_refreshes(connection, KEPT)
    others = {*ids, *unfinished_ids(connection)} - {item.refresh_id for item in newest}
    items = [*newest, *find_refreshes(connection, others)]
    return sorted(items, key=lambda item: (item.started_at, item.refresh_id))


def feed_of(service: RefreshService) -> Feed:
    """Return the feed of the service's refreshes, rendered as JSON."""
    return Feed(service.database, lambda item: service.state(item).model_dump(mode="json"))
