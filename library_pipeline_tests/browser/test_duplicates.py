"""Near-duplicates, as a person sifts them."""

from __future__ import annotations

import httpx
from playwright.sync_api import Page, expect

from library_pipeline.settings import Settings
from library_pipeline.store.database import Database
from library_pipeline.web.server import create_app
from library_pipeline_tests.browser.conftest import Look, served


def groups(page: Page) -> int:
    return int(page.locator("#groups").get_attribute("data-groups") or 0)


def slide(page: Page, threshold: float) -> None:
    page.locator("#threshold").evaluate(
        """(slider, value) => {
             slider.value = value; slider.dispatchEvent(new Event("input", { bubbles: true })); }""",
        str(threshold),
    )


def test_the_slider_moves_the_groups_and_the_address(page: Page, site: str, look: Look) -> None:
    page.goto(site + "/duplicates?threshold=0.95")
    page.wait_for_load_state("networkidle")
    loose = groups(page)
    assert loose > 0
    look(page, "duplicates")
    slide(page, 0.995)
    page.wait_for_url("**/duplicates?*threshold=0.995*")
    expect(page.locator("#shown-threshold")).to_have_text("0.995")
    strict = groups(page)
    assert strict != loose
    page.reload()
    assert groups(page) == strict
    page.go_back()
    page.wait_for_url("**/duplicates?threshold=0.95")
    expect(page.locator("#groups")).to_have_attribute("data-groups", str(loose))


def test_groups_across_clients_only_and_where_they_lead(page: Page, site: str) -> None:
    page.goto(site + "/duplicates?threshold=0.9")
    whole = groups(page)
    page.get_by_label("Only across clients").check()
    page.wait_for_url("**across=true*")
    assert groups(page) <= whole
    for heading in page.locator(".group h2").all_text_contents():
        assert "clients" in heading
    compare = page.locator(".group a.more").first.get_attribute("href") or ""
    assert compare.startswith("/compare?id=")
    assert compare.count("id=") >= 2
    page.locator(".group").first.locator("li a").first.click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert "/components/" in page.url


def test_it_works_without_a_script(browser_without_script: Page, site: str) -> None:
    page = browser_without_script
    page.goto(site + "/duplicates?threshold=0.95&client=&encoder=")
    page.get_by_label("Only across clients").check()
    page.get_by_role("button", name="Show").click()
    assert "across=true" in page.url
    assert page.locator("#groups").is_visible()


def test_the_twin_says_the_same(site: str) -> None:
    found = httpx.get(site + "/api/duplicates?threshold=0.95").json()
    assert found["total_groups"] == len(found["groups"]) or len(found["groups"]) == 20
    assert found["waiting"] == 0
    sizes = [group["size"] for group in found["groups"]]
    assert sizes == sorted(sizes, reverse=True)
    assert all(pair["similarity"] >= 0.9 for each in found["groups"] for pair in each["pairs"])
    for wrong in ("threshold=0.5", "encoder=dino", "k=0", "client=%00"):
        answer = httpx.get(f"{site}/api/duplicates?{wrong}")
        assert answer.status_code in (400, 409)
        assert answer.json()["error"]


def test_an_empty_library_says_what_to_do(
    page: Page, database: Database, settings: Settings
) -> None:
    with served(create_app(database, settings)) as address:
        for path in ("/duplicates", "/atlas"):
            page.goto(address + path)
            expect(page.get_by_role("heading", name="Nothing is indexed yet")).to_be_visible()
        assert httpx.get(address + "/api/duplicates").json()["groups"] == []
        assert httpx.get(address + "/api/atlas").json()["ids"] == []
