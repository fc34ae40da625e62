"""How long until a browser shows that a refresh has moved: from the commit to the DOM."""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.table import Table
from websockets.sync.client import connect

from library_pipeline.catalog.refresh import RefreshRequest
from library_pipeline.database.connection import Database, open_database
from library_pipeline.refresh.chunks import Chunk, add_progress
from library_pipeline.refresh.log import create_refresh
from library_pipeline.settings import EncoderSettings, Settings
from library_pipeline.web.service import create_app
from tools.testing.chromium import CHROMIUM, QUIET
from tools.testing.served import served

EVENTS = 200
PAUSE_SECONDS = 0.1
REFRESH = "bench"
# Notes the clock whenever the count changes; the same clock as Python's on the same machine.
WATCH = """() => {
  window.seen = {};
  const count = document.querySelector('[data-count=downloaded]');
  const note = () => { window.seen[parseInt(count.textContent)] ??= Date.now() / 1000; };
  new MutationObserver(note).observe(count, {childList: true, characterData: true, subtree: true});
}"""


def measure_events(console: Console, events: int = EVENTS) -> None:
    """Print p50 and p95 from the commit of `add_progress` to a WebSocket and to a browser's DOM."""
    folder = Path(tempfile.mkdtemp(prefix="library-events-"))
    try:
        settings = Settings(home=folder, encoder=EncoderSettings(model="demo", device="cpu"))
        with open_database(settings) as database:
            chunk = _running(database, events)
            with served(create_app(database, settings)) as address:
                socket_times = _by_websocket(database, chunk, address, events)
                browser_times = _in_browser(database, chunk, address, events)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    console.print(_table({"a WebSocket has it": socket_times, "the page shows it": browser_times}))


def _running(database: Database, events: int) -> Chunk:
    with database.connect() as connection:
        create_refresh(connection, RefreshRequest(REFRESH, "full", "cli"))
        connection.execute(
            """insert into pipeline.refresh_chunk (refresh_id, chunk, size, state, started_at)
               values (%s, 0, %s, 'running', now())""",
            (REFRESH, 10 * events),
        )
        connection.execute("update pipeline.refresh set state = 'running'")
    return Chunk(REFRESH, 0, 1, 10 * events)


def _move(database: Database, chunk: Chunk, events: int) -> list[float]:
    """Add `events` times to the counts; return when each was committed."""
    committed = []
    with database.connect() as connection:
        for _ in range(events):
            add_progress(connection, chunk, downloaded=1)
            committed.append(time.time())
            time.sleep(PAUSE_SECONDS)
    return committed


def _by_websocket(database: Database, chunk: Chunk, address: str, events: int) -> list[float]:
    came: dict[int, float] = {}

    def listen() -> None:
        with connect(f"ws{address[4:]}/api/refreshes/{REFRESH}/events") as talk:
            ready.set()
            while len(came) < events + 1:
                message = json.loads(talk.recv(30))
                if message["event"] == "refresh":
                    came.setdefault(message["data"]["downloaded"], time.time())

    ready = threading.Event()
    listener = threading.Thread(target=listen)
    listener.start()
    ready.wait(30)
    time.sleep(1)
    committed = _move(database, chunk, events)
    listener.join(60)
    return [came[number] - at for number, at in enumerate(committed, 1)]


def _in_browser(database: Database, chunk: Chunk, address: str, events: int) -> list[float]:
    with _page(f"{address}/refreshes") as page:
        page.wait_for_timeout(1500)
        page.evaluate(WATCH)
        committed: list[float] = []
        mover = threading.Thread(target=lambda: committed.extend(_move(database, chunk, events)))
        mover.start()
        while mover.is_alive():
            page.wait_for_timeout(200)
        page.wait_for_timeout(1000)
        seen = {int(number): at for number, at in page.evaluate("window.seen").items()}
    # What came together with the next one was shown with it.
    return [
        min(at for number, at in seen.items() if number >= events + index) - commit
        for index, commit in enumerate(committed, 1)
    ]


@contextmanager
def _page(address: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page()
        page.goto(address)
        yield page
        browser.close()


def _table(times: dict[str, list[float]]) -> Table:
    table = Table(title="from a commit of progress until", title_justify="left")
    for name in ("", "p50 ms", "p95 ms", "longest ms"):
        table.add_column(name, justify="right" if name else "left")
    for name, seconds in times.items():
        cuts = statistics.quantiles(seconds, n=20)
        figures = (statistics.median(seconds), cuts[-1], max(seconds))
        table.add_row(name, *(f"{1000 * value:.0f}" for value in figures))
    return table


if __name__ == "__main__":
    measure_events(Console(highlight=False))
