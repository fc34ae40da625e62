"""Watching refreshes: whole states, in order, to many and to slow ones, whatever restarts."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from library_pipeline.catalog.refresh import RefreshRequest
from library_pipeline.database.connection import Database
from library_pipeline.database.migrations import migrate
from library_pipeline.refresh.chunks import Chunk, add_progress
from library_pipeline.refresh.closing import stop_refresh
from library_pipeline.refresh.log import create_refresh
from library_pipeline.refresh.requests import ask
from library_pipeline.settings import Settings
from library_pipeline.shipped import shipped
from library_pipeline.web.events import feed
from library_pipeline.web.events.feed import Event, Subscriber
from library_pipeline.web.service import create_app
from library_pipeline_tests.support.databases import running_server
from library_pipeline_tests.support.embedded_processes import kill_postgres
from tools.testing.served import serve_process, served

ALL = "/api/refreshes/events"
PATIENCE = 15.0


class Stream:
    """An event stream as a browser reads it."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.iter_lines()

    def next(self, name: str = "refresh") -> tuple[str, dict[str, Any]]:
        """Return the id and data of the next event called `name`."""
        fields: dict[str, str] = {}
        for line in self._lines:
            if line:
                key, _, value = line.partition(": ")
                fields[key] = value
                continue
            if fields.get("event") == name:
                return fields.get("id", ""), json.loads(fields["data"])
            fields = {}
        raise AssertionError("the stream ended")


@contextmanager
def stream(address: str, path: str = ALL, **headers: str) -> Iterator[Stream]:
    wanted = {"Accept": "text/event-stream", **headers}
    with httpx.stream(
        "GET", address + path, headers=wanted, timeout=PATIENCE, trust_env=False
    ) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Stream(answer)


@pytest.fixture
def address(database: Database, settings: Settings) -> Iterator[str]:
    with served(create_app(database, settings)) as address:
        yield address


def running(connection: psycopg.Connection, name: str, planned: int = 10) -> Chunk:
    """Put a refresh on record that runs, with one chunk."""
    create_refresh(connection, RefreshRequest(name, "full", "cli"))
    connection.execute(
        """insert into pipeline.refresh_chunk (refresh_id, chunk, size, state, started_at)
           values (%s, 0, %s, 'running', now())""",
        (name, planned),
    )
    connection.execute("update pipeline.refresh set state = 'running' where id = %s", (name,))
    return Chunk(name, 0, 1, planned)


def test_what_is_comes_first_then_what_moves_each_time_whole(
    address: str, connection: psycopg.Connection
) -> None:
    chunk = running(connection, "r-1")
    ask(connection, RefreshRequest("waits", "incremental", "api"))
    with stream(address) as events:
        first, second = events.next(), events.next()
        assert [data["refresh_id"] for _, data in (first, second)] == ["r-1", "waits"]
        assert second[1]["state"] == "waiting"
        assert "daemon" in second[1]["waits_for"]
        seen = []
        for _ in range(5):
            add_progress(connection, chunk, downloaded=2, stored=1)
            number, data = events.next()
            seen.append(int(number.rpartition("-")[2]))
            assert (data["planned"], data["downloaded"]) == (10, 2 * len(seen))
        assert seen == sorted(set(seen))
        stop_refresh(connection, "r-1", "for the test")
        assert events.next()[1]["error"] == "for the test"


def test_a_client_that_comes_back_is_told_what_it_has_not_seen(
    address: str, connection: psycopg.Connection
) -> None:
    chunk = running(connection, "r-1")
    running(connection, "r-2")
    with stream(address) as events:
        (_, _), (last, _) = events.next(), events.next()
        with stream(address, **{"Last-Event-ID": last}) as again:
            add_progress(connection, chunk, stored=1)
            assert again.next()[1]["stored"] == 1
        with stream(address, f"{ALL}?after={last}") as again:
            assert again.next()[1]["refresh_id"] == "r-1"
        with stream(address, **{"Last-Event-ID": "another-life-7"}) as again:
            assert {again.next()[1]["refresh_id"] for _ in "12"} == {"r-1", "r-2"}


def test_one_refresh_can_be_watched_by_itself_however_old(
    address: str, connection: psycopg.Connection
) -> None:
    for number in range(feed.KEPT + 3):
        create_refresh(connection, RefreshRequest(f"r/{number}", "full", "cli"))
        stop_refresh(connection, f"r/{number}", "for the test")
    with (
        stream(address) as everything,
        stream(address, "/api/refreshes/r%2F0/events") as one,
        connect(f"ws{address[4:]}/api/refreshes/r%2F0/events") as socket_,
    ):
        assert everything.next()[1]["refresh_id"] == "r/3"
        assert one.next()[1]["refresh_id"] == "r/0"
        message = json.loads(socket_.recv(PATIENCE))
        assert (message["event"], message["data"]["refresh_id"]) == ("refresh", "r/0")
        connection.execute("update pipeline.refresh set total = 7 where id <> 'r/0'")
        connection.execute("update pipeline.refresh set total = 8 where id = 'r/0'")
        assert one.next()[1]["total"] == 8
        assert json.loads(socket_.recv(PATIENCE))["data"]["total"] == 8


def test_what_is_not_there_is_answered_before_anything_is_sent(
    address: str,
) -> None:
    def ask_for(path: str, **headers: str) -> httpx.Response:
        return httpx.get(address + path, headers=headers, trust_env=False)

    unknown = ask_for("/api/refreshes/nobody/events")
    assert (unknown.status_code, "no refresh with the id" in unknown.text) == (404, True)
    assert ask_for(ALL, Accept="application/json").status_code == 406
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws{address[4:]}/api/refreshes/nobody/events")
    assert refused.value.response.status_code == 404


def test_no_more_watch_than_the_server_can_bear(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "MAX_SUBSCRIBERS", 1)
    with stream(address):
        refused = httpx.get(address + ALL, trust_env=False)
        assert (refused.status_code, "clients watch already" in refused.text) == (503, True)
    deadline = time.monotonic() + PATIENCE
    while httpx.get(address + ALL + "?after=" + "x" * 200, trust_env=False).status_code != 400:
        assert time.monotonic() < deadline
    with connect(f"ws{address[4:]}{ALL}"):  # the first one's place is free again
        pass


def test_a_slow_client_gets_the_latest_of_each_refresh_and_no_queue() -> None:
    async def watched() -> list[tuple[str, int]]:
        slow = Subscriber(None, heartbeat_seconds=0.01)
        for number in range(1, 10_001):
            slow.put(Event("refresh", f"r-{number % 3}", {}, "life", number))
        return [(e.key, e.number) async for e in _until_heartbeat(slow)]

    assert asyncio.run(watched()) == [("r-2", 9998), ("r-0", 9999), ("r-1", 10_000)]


async def _until_heartbeat(subscriber: Subscriber):
    async for event in subscriber.events():
        if event.name == "heartbeat":
            return
        yield event


def test_a_connection_on_which_nothing_happens_is_kept_alive(
    database: Database, settings: Settings
) -> None:
    app = create_app(database, settings)
    app.state.feed._heartbeat_seconds = 0.05
    with served(app) as address, stream(address) as events:
        assert events.next("heartbeat") == ("", {})


@pytest.fixture
def own_server() -> Iterator[tuple[Path, Database]]:
    """A server of the test's own, which may be killed, by its home."""
    with running_server(linger_seconds=0.3) as (home, server):
        migrate(server.url("library"), shipped("sql"))
        yield home, Database(server.url("library"), "")


def test_after_a_restart_of_postgres_the_states_come_again(
    own_server: tuple[Path, Database], settings: Settings
) -> None:
    home, database = own_server
    with database.connect() as connection:
        chunk = running(connection, "r-1")
    with served(create_app(database, settings)) as address, stream(address) as events:
        assert events.next()[1]["stored"] == 0
        kill_postgres(home)
        assert events.next("connection")[1]["state"] == "lost"
        with stream(address) as newcomer:
            assert newcomer.next("connection")[1]["state"] == "lost"
        assert events.next()[1]["refresh_id"] == "r-1"
        assert events.next("connection")[1] == {"state": "restored"}
        with database.connect() as connection:
            add_progress(connection, chunk, stored=3)
        assert events.next()[1]["stored"] == 3


def test_the_server_ends_at_once_although_streams_are_open(
    database: Database, settings: Settings
) -> None:
    variables = {"LIBRARY_ENCODER_MODEL": settings.encoder.model}
    with serve_process(variables, stderr=subprocess.PIPE) as (process, _):
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1].rstrip("/")
        assert "no CMS is configured" in process.stdout.readline()
        with database.connect() as connection:
            running(connection, "r-1")
        with stream(address) as events, connect(f"ws{address[4:]}{ALL}") as talk:
            events.next()
            talk.recv(PATIENCE)
            process.send_signal(signal.SIGINT)
            with pytest.raises((AssertionError, httpx.HTTPError)):
                while True:
                    events.next()
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    talk.recv(PATIENCE)
            assert closed.value.rcvd and closed.value.rcvd.code in (1001, 1012)
        _, said = process.communicate(timeout=10)
        assert process.returncode == 0
        assert "Traceback" not in said
