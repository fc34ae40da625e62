"""How long the search page takes to show the results of a dropped picture, in a real browser."""

from __future__ import annotations

import base64
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from rich.table import Table

from library_pipeline.database.connection import open_database
from library_pipeline.settings import EncoderSettings, Settings
from library_pipeline.shipped import shipped
from library_pipeline.web.service import create_app
from tools.bench.tables import new_table
from tools.testing.chromium import CHROMIUM, HANDED, QUIET
from tools.testing.indexing import index, sample_of
from tools.testing.served import served

DROPS = 20
# The results are there, and each picture that is in view is drawn.
SHOWN = """() => document.querySelector("#answer")?.textContent.includes("Most like your picture")
  && [...document.querySelectorAll(".results img")].slice(0, 8).every((each) => each.complete)"""


def measure_page() -> Table:
    """Return seconds from the drop to the results, their pictures drawn, as a table."""
    folder = Path(tempfile.mkdtemp(prefix="library-page-"))
    components = sorted((shipped("sample_library") / "components").iterdir())
    samples = [sample_of(each) for each in components if each.is_dir()]
    try:
        settings = Settings(
            home=folder,
            bundle_store=str(folder / "bundles"),
            encoder=EncoderSettings(model="demo", device="cpu"),
        )
        with open_database(settings) as database:
            index(database, settings, samples)
            with served(create_app(database, settings)) as address, sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
                page = browser.new_page(viewport={"width": 1280, "height": 860})
                shots = [each.screenshot for each in samples[:: len(samples) // (DROPS + 1)]]
                times = [_drop(page, address, shot) for shot in shots[: DROPS + 1]][1:]
                browser.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    title = f"a picture dropped on the page over {len(samples)} components (target: 1 s)"
    table = new_table(title, "until", "p50 s", "p95 s", "longest")
    cuts = statistics.quantiles(times, n=20)
    row = (statistics.median(times), cuts[-1], max(times))
    table.add_row("results and their pictures are shown", *(f"{each:.2f}" for each in row))
    return table


def _drop(page: Page, address: str, picture: bytes) -> float:
    page.goto(address)
    page.wait_for_load_state("networkidle")
    handed = ["drop", "shot.png", "image/png", base64.b64encode(picture).decode()]
    started = time.perf_counter()
    page.evaluate(HANDED, handed)
    page.wait_for_function(SHOWN, polling=5)
    return time.perf_counter() - started
