"""The page of refreshes: started there, followed live, stopped and repeated; and without script."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator

import dagster as dg
import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from library_pipeline.catalog.refresh import RefreshRequest
from library_pipeline.database.connection import Database
from library_pipeline.refresh.requests import ask
from library_pipeline.sample_cms import Faults, FileFault, RequestFault, SampleCms
from library_pipeline.settings import load_settings
from library_pipeline.web.service import create_app
from library_pipeline_tests.support.dagster_instance import dagster_template, definitions, instance
from library_pipeline_tests.support.dagster_runs import execute
from library_pipeline_tests.support.pages import Look, serious_findings
from library_pipeline_tests.support.ticks import Ticks
from tools.testing.served import served

__all__ = ["dagster_template", "definitions", "instance"]
SENSORS = ("refresh_requests", "refresh_chunks")
SLOW = RequestFault("stall", every=1, path="/files/", seconds=0.15)
pytestmark = pytest.mark.timeout(300)


class Daemon(threading.Thread):
    """Does what Dagster's daemon does with the sensors, in this process and without its pauses."""

    def __init__(self, definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
        super().__init__(daemon=True)
        self._definitions, self._instance = definitions, instance
        self._tick = Ticks(definitions, instance)
        self._told = threading.Event()

    def run(self) -> None:
        while not self._told.wait(0.2):
            for sensor in SENSORS:
                requests = self._tick(sensor)
                for request in requests if isinstance(requests, list) else []:
                    execute(self._definitions, self._instance, request)

    def stop(self) -> None:
        self._told.set()
        self.join(60)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """One download at a time, so that there is something to see."""
    monkeypatch.setenv("LIBRARY_CMS_CONCURRENCY", "1")
    monkeypatch.setenv("LIBRARY_DAGSTER_URL", "http://127.0.0.1:3000")


@pytest.fixture
def address(slow: None, cms: SampleCms, database: Database) -> Iterator[str]:
    with served(create_app(database, load_settings())) as address:
        yield address


@pytest.fixture
def daemon(
    slow: None, cms: SampleCms, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> Iterator[Daemon]:
    daemon = Daemon(definitions, instance)
    yield daemon
    daemon.stop()


def test_a_refresh_is_started_watched_and_what_failed_tried_again(
    page: Page, address: str, daemon: Daemon, cms: SampleCms, look: Look
) -> None:
    cms.faults = Faults(requests=(SLOW,), files=(FileFault("c-3", "records"),))
    page.goto(f"{address}/refreshes")
    expect(page.locator("#done")).to_contain_text("No refresh has ended yet.")
    expect(page.locator(".missing")).to_contain_text("dagster-daemon must run")
    page.get_by_role("button", name="Look for changes").click()
    live = page.locator("#live .refresh")
    expect(live).to_contain_text("Dagster's daemon takes it when it looks next")
    look(page, "refreshes-waiting")
    assert serious_findings(page) == []
    daemon.start()
    bar = page.get_by_role("progressbar", name="Downloaded")
    expect(bar).to_have_attribute("max", "6", timeout=60_000)
    seen = {0}
    while live.count():
        value = page.evaluate("document.querySelector('[data-bar=downloaded]')?.value ?? -1")
        seen.add(int(value))
        if len(seen) == 4:
            look(page, "refreshes-live")
        page.wait_for_timeout(50)
    assert len(seen - {-1}) >= 4, f"the bar jumped: {seen}"
    done = page.locator("#done .refresh").first
    expect(done).to_contain_text("5 new, 0 changed, 0 removed, 0 unchanged, 1 failed")
    expect(page.get_by_role("status")).to_contain_text("finished, 1 failed")
    expect(done).to_contain_text("download.not_found")
    expect(page.locator(".counts")).to_contain_text("1 failed")
    expect(done.get_by_role("link", name=re.compile("Dagster run")).first).to_have_attribute(
        "href", re.compile(r"^http://127\.0\.0\.1:3000/runs/")
    )
    look(page, "refreshes-failed")
    assert serious_findings(page) == []

    cms.faults = Faults()
    page.get_by_role("button", name="Retry c-3").click()
    expect(page.locator("#done .refresh")).to_have_count(2, timeout=60_000)
    expect(page.locator(".failed")).to_have_count(0)
    expect(page.locator(".counts")).to_contain_text("0 failed")


def test_what_waits_and_what_runs_can_be_cancelled(
    page: Page, address: str, daemon: Daemon, cms: SampleCms
) -> None:
    page.goto(f"{address}/refreshes")
    page.get_by_role("button", name="Look for changes").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#done .refresh")).to_contain_text("cancelled before it was planned")
    cms.faults = Faults(requests=(SLOW,))
    daemon.start()
    page.get_by_text("Full refresh …").click()
    page.get_by_role("button", name="Yes, start the full refresh").click()
    expect(page.get_by_role("progressbar", name="Stored")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#done .refresh").first).to_contain_text("it was cancelled", timeout=60_000)


def test_the_page_says_when_the_server_is_gone_and_goes_on_when_it_is_back(
    page: Page, database: Database, cms: SampleCms, connection: psycopg.Connection
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with served(create_app(database, load_settings()), port) as address:
        page.goto(f"{address}/refreshes")
        expect(page.locator("#live")).to_contain_text("Nothing is going on.")
    expect(page.get_by_role("status")).to_contain_text("The server does not answer")
    ask(connection, RefreshRequest("meanwhile", "full", "api"))
    with served(create_app(database, load_settings()), port):
        expect(page.locator("#live")).to_contain_text("meanwhile", timeout=20_000)


def test_the_page_of_one_refresh_and_all_of_it_without_a_script(
    browser: Browser, address: str, daemon: Daemon, cms: SampleCms
) -> None:
    cms.faults = Faults(files=(FileFault("c-3", "records"),))
    context = browser.new_context(java_script_enabled=False, viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.goto(f"{address}/refreshes")
    page.get_by_role("button", name="Look for changes").click()
    daemon.start()
    link = page.get_by_role("link", name="Incremental refresh")
    for _ in range(600):
        page.reload()
        if page.locator("#done .refresh").count():
            break
        page.wait_for_timeout(100)
    link.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Incremental refresh")
    expect(page.locator(".failed")).to_contain_text("c-3")
    daemon.stop()  # it may be done with the retry before the page is there to show it
    page.get_by_role("button", name="Retry c-3").click()
    expect(page.locator("#live .refresh")).to_contain_text("only 1 named")
    context.close()
