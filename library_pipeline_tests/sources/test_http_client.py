"""The one client: what it does for listings and for files alike."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from library_pipeline.sample_cms import SampleCms
from library_pipeline.sources.contract import HttpCms
from library_pipeline.sources.http.client import Client
from library_pipeline.sources.http.connection import CmsConnection
from library_pipeline_tests.support.small_cms import connection_to
from library_pipeline_tests.support.web_server import answer, web_server


@pytest.fixture
def elsewhere() -> Iterator[str]:
    with web_server(lambda handler: answer(handler, b"{}")) as url:
        yield url


def test_pages_are_read_where_an_event_loop_runs_already(cms: SampleCms) -> None:
    """As in a notebook."""

    async def read() -> int:
        with HttpCms(connection_to(cms)) as http_cms:
            return sum(len(page.entries) for page in http_cms.pages())

    assert asyncio.run(read()) == 3


def test_a_redirect_takes_its_turn_at_the_host_that_it_leads_to(elsewhere: str) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    def redirect(handler: BaseHTTPRequestHandler) -> None:
        answer(handler, b"", 302, Location=f"{elsewhere}/file")

    async def ask_twice(url: str) -> None:
        host = elsewhere.removeprefix("http://")
        connection = CmsConnection(base_url=url, allowed_hosts=(host,), requests_per_second=0.1)
        async with Client(connection, sleep=sleep) as client:
            for _ in range(2):
                found = await client.get(f"{url}/file", 100)
                assert (found.url, found.body) == (f"{elsewhere}/file", b"{}")

    with web_server(redirect) as url:
        asyncio.run(ask_twice(url))
    assert [round(wait) for wait in waits] == [10, 10]


def test_after_a_429_the_client_waits_as_long_as_the_answer_says() -> None:
    statuses = [429, 200, 200]
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(seconds)

    def handle(handler: BaseHTTPRequestHandler) -> None:
        answer(handler, b"{}", statuses.pop(0), Retry_After="0.05")

    async def ask(url: str) -> None:
        connection = CmsConnection(base_url=url, backoff_seconds=0.001)
        async with Client(connection, sleep=sleep) as client:
            for _ in range(2):
                await client.get(f"{url}/page", 100)

    with web_server(handle) as url:
        asyncio.run(ask(url))
    assert waits[0] >= 0.05
    assert not statuses
