"""A real Chromium before the real service, over the sample library as the demo encoder sees it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from library_pipeline.database.connection import Database
from library_pipeline.embedded_server import EmbeddedServer
from library_pipeline.index.encoders import active_encoders
from library_pipeline.search.atlas import update_atlas
from library_pipeline.search.look_alikes import compare_new
from library_pipeline.settings import EncoderSettings, Settings
from library_pipeline.shipped import shipped
from library_pipeline.web.service import create_app
from library_pipeline_tests.support.databases import copied_database
from library_pipeline_tests.support.pages import Look
from tools.testing.chromium import CHROMIUM, QUIET
from tools.testing.indexing import index, sample_of
from tools.testing.served import served


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        except Exception as error:
            pytest.fail(
                "these tests need a Chromium: install one (`apt-get install chromium`, `playwright "
                f"install chromium`) or name it in LIBRARY_TEST_CHROMIUM ({error})"
            )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("browser")
    return Settings(
        home=home,
        bundle_store=str(home / "bundles"),
        encoder=EncoderSettings(model="demo", device="cpu"),
    )


@pytest.fixture(scope="session")
def library(server: EmbeddedServer, settings: Settings) -> Iterator[Database]:
    """The shipped sample library, indexed; tests only read it."""
    folders = sorted((shipped("sample_library") / "components").iterdir())
    with copied_database(server, "browser") as database:
        # A quarter of it: the rest shows nothing that is worth a minute of embedding.
        index(database, settings, [sample_of(each) for each in folders[::4] if each.is_dir()])
        with database.connect() as connection:
            (encoder,) = active_encoders(connection)
            compare_new(connection, encoder)
            # UMAP is worth the wait only for the pictures of the docs.
            update_atlas(connection, encoder, umap=bool(os.environ.get("LIBRARY_TEST_SHOTS")))
        yield database


@pytest.fixture(scope="session")
def site(library: Database, settings: Settings) -> Iterator[str]:
    """The address of the service over the sample library."""
    with served(create_app(library, settings)) as address:
        yield address


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that fails the test if a script fails, or anything is loaded from elsewhere."""
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "console",
        lambda line: problems.append(line.text) if "Content Security" in line.text else None,
    )
    yield page
    assert problems == []


@pytest.fixture
def browser_without_script(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(java_script_enabled=False)
    yield context.new_page()
    context.close()


@pytest.fixture
def look() -> Look:
    """Keep a screenshot for the docs where LIBRARY_TEST_SHOTS names a folder."""
    folder = os.environ.get("LIBRARY_TEST_SHOTS")

    def keep(page: Page, name: str) -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=str(Path(folder) / f"{name}.png"))

    return keep
