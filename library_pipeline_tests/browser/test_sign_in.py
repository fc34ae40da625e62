"""Signing in, as people do it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from library_pipeline.database.connection import Database
from library_pipeline.settings import Settings, WebSettings
from library_pipeline.settings.source_keys import Secret
from library_pipeline.web.service import create_app
from library_pipeline_tests.support.pages import Look, serious_findings
from tools.testing.served import served

KEY = "a-key-of-the-studio-2026"


@pytest.fixture
def closed(library: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a service that takes a key."""
    monkeypatch.setenv("STUDIO_KEYS", KEY)
    web = WebSettings(api_keys=Secret(secret_env="STUDIO_KEYS"))
    app = create_app(library, settings.model_copy(update={"web": web}), listening="127.0.0.1")
    with served(app) as address:
        yield address


def test_a_key_leads_to_where_one_wanted_to_go_and_out_again(
    page: Page, closed: str, look: Look
) -> None:
    page.goto(closed + "/?text=a+pricing+table")
    expect(page.get_by_label("Key")).to_be_focused()
    look(page, "sign-in")
    page.keyboard.type("not a key at all")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("This is not one of the keys")
    page.get_by_label("Key").fill(KEY)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("searchbox").first).to_have_value("a pricing table")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto(closed)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_fit_for_phones_and_for_everybody(page: Page, closed: str, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(closed)
    page.keyboard.type("not a key at all")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    assert serious_findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
