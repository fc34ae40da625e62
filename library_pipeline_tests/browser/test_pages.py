"""What holds for every page: no serious finding for those who cannot see, point or scroll."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from library_pipeline_tests.support.pages import serious_findings

FOOTER = "fernhill-clinic-footer-013"
PAGES = (
    "/",
    "/?text=a+pricing+table",
    f"/?like={FOOTER}&not_like=loopline-footer-012&collapse=0.9&attribute=theme%3Ddark",
    "/?like=nobody",
    f"/components/{FOOTER}",
    f"/compare?id={FOOTER}&id=golden-crumb-footer-011",
    "/failures",
    "/refreshes",
    "/duplicates?threshold=0.9",
    "/atlas",
)


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_has_no_serious_finding(page: Page, site: str, path: str, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(site + path)
    assert serious_findings(page) == []


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_needs_no_scrolling_to_the_side(page: Page, site: str, path: str) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(site + path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
