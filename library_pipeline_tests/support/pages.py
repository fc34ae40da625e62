"""What tests of the pages look at: screenshots for the docs, and accessibility findings."""

from __future__ import annotations

from collections.abc import Callable

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

SERIOUS = ("serious", "critical")
Look = Callable[[Page, str], None]


def serious_findings(page: Page) -> list[str]:
    """Return what axe finds wrong with the page for people who cannot see or point."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {each['help']} ({each['nodes'][0]['html'][:120]})"
        for each in found
        if each["impact"] in SERIOUS
    ]
