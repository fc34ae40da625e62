"""Near-duplicates, as a person sifts them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from library_pipeline.database.connection import Database
from library_pipeline.embedded_server import EmbeddedServer
from library_pipeline.index.encoders import active_encoders
from library_pipeline.search.look_alikes import compare_new
from library_pipeline.settings import EncoderSettings, Settings
from library_pipeline.shipped import shipped
from library_pipeline.web.service import create_app
from library_pipeline_tests.support.databases import copied_database
from library_pipeline_tests.support.pages import Look
from tools.testing.indexing import index, sample_of
from tools.testing.served import served

ALIKE = (
    "fernhill-clinic-pricing-table-015", "harbor-bank-pricing-table-004",
    "golden-crumb-modal-013", "fernhill-clinic-modal-020",
    "loopline-modal-008", "harbor-bank-modal-015", "fernhill-clinic-modal-011",
    "northwind-travel-footer-007", "northwind-travel-footer-005",
    "loopline-profile-013", "harbor-bank-profile-011",
    "harbor-bank-footer-016", "golden-crumb-footer-011",
)  # fmt: skip


@pytest.fixture(scope="module")
def site(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The service over a library of what looks alike, one of it twice, and one that is new."""
    home: Path = tmp_path_factory.mktemp("alike")
    settings = Settings(
        home=home,
        bundle_store=str(home / "bundles"),
        encoder=EncoderSettings(model="demo", device="cpu"),
    )
    samples = [sample_of(shipped("sample_library") / "components" / name) for name in ALIKE]
    copy = replace(samples[0], component_id="copy", name="A copy", client="museum-of-tides")
    with copied_database(server, "alike") as database:
        index(database, settings, [*samples, copy])
        with database.connect() as connection:
            compare_new(connection, active_encoders(connection)[0])
            connection.execute("delete from pipeline.compared where number = 1")
            connection.execute("delete from pipeline.look_alike where a = 1 or b = 1")
        with served(create_app(database, settings)) as address:
            yield address


def groups(page: Page) -> int:
    return int(page.locator("#groups").get_attribute("data-groups") or 0)


def slide(page: Page, threshold: float) -> None:
    page.locator("#threshold").evaluate(
        """(slider, value) => {
             slider.value = value;
             slider.dispatchEvent(new Event("input", { bubbles: true })); }""",
        str(threshold),
    )


def test_the_slider_moves_the_groups_and_the_address(page: Page, site: str, look: Look) -> None:
    page.goto(site + "/duplicates?threshold=0.92")
    page.wait_for_load_state("networkidle")
    expect(page.locator("#groups > .facts")).to_contain_text("1 new screenshot not compared yet")
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
    page.wait_for_url("**/duplicates?threshold=0.92")
    expect(page.locator("#groups")).to_have_attribute("data-groups", str(loose))


def test_groups_across_clients_only_and_where_they_lead(page: Page, site: str) -> None:
    page.goto(site + "/duplicates?threshold=0.9")
    whole = groups(page)
    page.get_by_label("Only across clients").check()
    page.wait_for_url("**across=true*")
    assert 0 < groups(page) < whole
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
    page.goto(site + "/duplicates?threshold=0.92&client=&encoder=")
    page.get_by_label("Only across clients").check()
    page.get_by_role("button", name="Show").click()
    assert "across=true" in page.url
    assert page.locator("#groups").is_visible()


def test_the_twin_says_the_same(site: str) -> None:
    found = httpx.get(site + "/api/duplicates?threshold=0.92").json()
    assert found["total_groups"] == len(found["groups"]) > 2
    assert found["waiting"] == 1
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
