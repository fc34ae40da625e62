"""Asking as people do: by dropping, pasting, typing, ticking, dragging, and going back."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from library_pipeline.database.connection import Database
from library_pipeline.embedded_server import EmbeddedServer
from library_pipeline.settings import Settings
from library_pipeline.shipped import shipped
from library_pipeline.web.service import create_app
from library_pipeline_tests.support.databases import copied_database
from library_pipeline_tests.support.pages import Look
from library_pipeline_tests.support.samples import SAMPLES
from tools.testing.chromium import HANDED
from tools.testing.indexing import index
from tools.testing.served import served

FOOTER = "fernhill-clinic-footer-013"
OTHER_FOOTER = "golden-crumb-footer-011"
PHONE = {"width": 360, "height": 740}


def screenshot(component_id: str) -> bytes:
    folder = Path(shipped("sample_library")) / "components" / component_id
    return next(folder.glob("screenshot.*")).read_bytes()


def hand(page: Page, data: bytes, event: str = "drop", name: str = "shot.png") -> None:
    """Drop or paste a file onto the page."""
    page.evaluate(HANDED, [event, name, "image/png", base64.b64encode(data).decode()])


def drop_footer(page: Page) -> None:
    hand(page, screenshot(FOOTER))
    expect(page.locator("#answer")).to_contain_text("Most like your picture")


def results(page: Page) -> list[str]:
    links = page.locator(".results .look")
    return [links.nth(n).get_attribute("href") or "" for n in range(links.count())]


def total(page: Page) -> int:
    words = page.locator("#answer small").inner_text()
    return int(words.replace(",", "").split()[-1])


def choose(page: Page, name: str, value: str) -> int:
    """Tick a filter; return how many components it said it would leave."""
    row = page.locator(".tick", has=page.locator(f'input[name="{name}"][value="{value}"]'))
    count = re.search(r"[\d,]+", row.locator(".many").inner_text())
    assert count
    row.locator("input").check()
    return int(count[0].replace(",", ""))


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_a_picture_that_is_handed_over_finds_its_component_first(
    page: Page, site: str, event: str, look: Look
) -> None:
    page.goto(site)
    hand(page, screenshot(FOOTER), event)
    expect(page.locator("#answer")).to_contain_text("Most like your picture")
    assert results(page)[0] == f"/components/{FOOTER}"
    expect(page.locator(".cropper img")).to_be_visible()
    expect(page.locator(".status")).to_contain_text("Most like your picture")
    expect(page.locator("#answer")).to_be_focused()
    if event == "drop":
        page.wait_for_load_state("networkidle")
        look(page, "search-by-picture")


def test_a_picture_that_is_chosen_stays_while_the_question_grows(
    page: Page, site: str, look: Look
) -> None:
    page.goto(site)
    with page.expect_file_chooser() as chooser:
        page.locator("#picture").click()
    chooser.value.set_files(
        {"name": "mine.png", "mimeType": "image/png", "buffer": screenshot(FOOTER)}
    )
    expect(page.locator(".chips .picture")).to_contain_text("mine.png")
    page.locator("#text").fill("a dark footer")
    page.keyboard.press("Enter")
    expect(page.locator(".chips .text")).to_contain_text("a dark footer × 1")
    said = choose(page, "attribute", "theme=dark")
    expect(page.locator(".chips .filter")).to_contain_text("theme=dark")
    assert total(page) == said
    second = results(page)[1]
    page.locator(".card .not").nth(1).click()
    expect(page.locator(".chips .unlike")).to_contain_text("× 0.5")
    assert second not in results(page)
    assert total(page) == said - 1
    expect(page.locator(".cropper img")).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.locator(".panel").evaluate("panel => { panel.scrollTop = 0 }")
    page.mouse.move(0, 0)
    look(page, "filters")
    page.locator("#also-like").fill(OTHER_FOOTER)
    page.keyboard.press("Enter")
    expect(page.locator(".chips .like")).to_contain_text("Golden Crumb footer")
    page.locator(".chips .text a").click()
    expect(page.locator(".chips .text")).to_have_count(0)
    expect(page.locator("#text")).to_have_value("")
    page.get_by_role("link", name="Clear all").click()
    expect(page.locator("#answer")).to_contain_text("Newest components")
    assert page.url == f"{site}/"


def test_a_part_of_a_picture_is_asked_by_mouse_and_by_keyboard(page: Page, site: str) -> None:
    page.goto(site)
    drop_footer(page)
    page.wait_for_function("document.querySelector('.cropper img').complete")
    box = page.locator(".cropper").bounding_box()
    assert box
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 2, steps=4)
    page.mouse.up()
    expect(page.locator("#answer")).to_contain_text("the part of your picture")
    assert re.search(r"crop=0\.0\d*%2C0\.\d+%2C0\.5\d*%2C", page.url)
    expect(page.locator(".frame")).to_be_visible()
    page.locator("#crop-right").fill("25")
    page.locator("#crop-right").press("Tab")
    page.wait_for_url(re.compile(r"%2C0\.25%2C"))
    page.get_by_role("link", name="Remove Part").click()
    expect(page.locator("#answer")).to_contain_text("Most like your picture")
    expect(page.locator(".frame")).to_be_hidden()


def test_pages_scores_and_look_alikes(page: Page, site: str) -> None:
    page.goto(f"{site}/?k=12")
    drop_footer(page)
    first = results(page)
    assert len(first) == 12
    page.get_by_role("link", name="More", exact=True).click()
    expect(page.locator("#answer")).to_contain_text("13–24")
    assert not set(first) & set(results(page))
    expect(page.locator("#answer")).to_be_focused()
    page.go_back()
    expect(page.locator("#answer")).to_contain_text("1–12")
    assert results(page) == first
    expect(page.locator(".cropper img")).to_be_visible()  # the picture is asked again
    page.locator("#least-score").fill("0.5")
    page.keyboard.press("Tab")
    expect(page.locator(".chips .filter")).to_contain_text("at least 0.5")
    scores = [float(each) for each in page.locator(".score b").all_inner_texts()]
    assert scores and min(scores) >= 0.5
    page.get_by_role("link", name="Remove Score").click()
    expect(page.locator("#least-score")).to_have_value("")
    page.goto(f"{site}/?like={FOOTER}&collapse=0.2")
    page.locator(".folded summary").first.click()
    assert page.locator(".folded li").count() > 0
    expect(page.locator(".folded a").first).to_be_visible()
    assert not set(results(page)) & {
        each.get_attribute("href") for each in page.locator(".folded a").all()
    }


def test_a_picture_is_still_asked_about_after_a_look_at_a_component(page: Page, site: str) -> None:
    page.goto(site)
    drop_footer(page)
    choose(page, "category", "footer")
    expect(page.locator(".chips .filter")).to_be_visible()
    first = results(page)
    page.locator(".results .look").nth(1).click()
    page.wait_for_url("**/components/**")
    page.go_back()
    for _ in range(2):
        expect(page.locator(".cropper img")).to_be_visible()
        assert results(page) == first
        page.reload()
    page.go_back()
    expect(page.locator(".chips .filter")).to_have_count(0)
    expect(page.locator(".cropper img")).to_be_visible()


def test_two_components_are_compared(page: Page, site: str, look: Look) -> None:
    page.goto(site)
    drop_footer(page)
    names = page.locator(".results h3").all_inner_texts()[:2]
    page.locator(".pick input").nth(0).check()
    expect(page.locator("#compare [type=submit]")).to_be_disabled()
    page.locator(".pick input").nth(1).check()
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url("**/compare?**")
    assert page.locator(".sides h2 bdi").all_inner_texts() == names
    scales = page.evaluate(
        "[...document.querySelectorAll('.sides image')].map(e => e.getBoundingClientRect().width"
        " / e.getAttribute('width'))"
    )
    assert scales[0] == pytest.approx(scales[1], rel=0.01)
    expect(page.locator(".differs", has_text="Client")).to_be_visible()
    score = float(page.locator(".alike td").inner_text())
    assert 0 < score < 1
    page.get_by_text("Swipe").click()
    page.locator("#swipe").fill("25")
    assert page.evaluate("getComputedStyle(document.querySelector('.layer2')).clipPath") != "none"
    page.get_by_text("Difference").click()
    page.wait_for_load_state("networkidle")
    look(page, "compare")


def test_a_component_leads_on(page: Page, site: str, look: Look) -> None:
    page.goto(f"{site}/components/{FOOTER}")
    page.get_by_text("records", exact=False).first.click()
    expect(page.locator("#history")).to_be_visible()
    page.wait_for_load_state("networkidle")
    look(page, "component")
    page.get_by_role("link", name="Find look-alikes").click()
    expect(page.locator("#answer")).to_contain_text("Most like")
    page.go_back()
    page.get_by_role("link", name="Compare with the closest").click()
    expect(page.locator(".sides article")).to_have_count(2)


def test_a_keyboard_is_enough(page: Page, site: str) -> None:
    page.goto(site)
    page.locator("body").press("/")
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.type("a pricing table")
    page.keyboard.press("Enter")
    expect(page.locator("#answer")).to_contain_text("Closest to")
    filters = page.locator('.narrow input[name="category"]')
    filters.first.focus()
    name = filters.first.get_attribute("id")
    page.keyboard.press("Space")
    expect(page.locator(".chips .filter")).to_be_visible()
    expect(page.locator(f"#{name}")).to_be_focused()  # where it was, though all was swapped
    first, second = page.locator(".results .look").nth(0), page.locator(".results .look").nth(1)
    first.focus()
    page.keyboard.press("ArrowRight")
    expect(second).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/components/**")


def test_without_a_script_every_form_works(browser: Browser, site: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site)
    page.locator("#text").fill("footer")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("#answer")).to_contain_text("Closest to")
    said = choose(page, "category", "footer")
    page.get_by_role("button", name="Apply").click()
    assert total(page) == said == len(results(page))
    page.locator(".pick input").nth(0).check()
    page.locator(".pick input").nth(1).check()
    page.get_by_role("button", name="Compare").click()
    expect(page.locator(".sides article")).to_have_count(2)
    page.goto(f"{site}/?category=footer")
    picture = {"name": "f.png", "mimeType": "image/png", "buffer": screenshot(FOOTER)}
    page.locator("#picture").set_input_files(picture)  # type: ignore[arg-type]
    page.get_by_role("button", name="Search by this picture").click()
    expect(page.locator("#answer")).to_contain_text("Most like your picture")
    assert results(page)[0] == f"/components/{FOOTER}"
    assert total(page) == said
    context.close()


def test_what_cannot_be_asked_says_why_and_leaves_the_way_open(page: Page, site: str) -> None:
    page.goto(site)
    hand(page, b"just words", name="words.png")
    expect(page.get_by_role("alert")).to_contain_text("words.png: not an image")
    hand(page, bytes(25 * 2**20), name="large.png")
    expect(page.locator(".status")).to_contain_text("large.png is larger than 20 MB")
    drop_footer(page)
    page.goto(f"{site}/?like=nobody")
    expect(page.get_by_role("alert")).to_contain_text("nobody")
    drop_footer(page)
    assert results(page)[0] == f"/components/{FOOTER}"


def test_a_phone_shows_results_before_filters(page: Page, site: str, look: Look) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.goto(site)
    drop_footer(page)
    expect(page.locator(".narrow")).to_be_hidden()
    page.wait_for_load_state("networkidle")
    look(page, "search-on-a-phone")
    page.locator(".narrowing").click()
    said = choose(page, "category", "footer")
    expect(page.locator(".chips .filter")).to_be_visible()
    expect(page.locator(".narrow")).to_be_visible()  # as it was left
    assert total(page) == said
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.fixture(scope="module")
def own(server: EmbeddedServer, settings: Settings) -> Iterator[str]:
    """A service over an empty library of the test's own."""
    with (
        copied_database(server, "own") as database,
        served(create_app(database, settings)) as address,
    ):
        yield address


def test_an_empty_library_says_what_to_do_and_hostile_names_stay_text(
    page: Page, own: str, server: EmbeddedServer, settings: Settings
) -> None:
    page.goto(own)
    expect(page.locator("#answer")).to_contain_text("Nothing is indexed yet")
    expect(page.get_by_text("library-pipeline refresh")).to_be_visible()
    index(Database(server.url("own"), ""), settings, SAMPLES)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    for path in ("/", "/?like=evil", "/?not_like=evil&text=card", "/components/evil"):
        page.goto(own + path)
        expect(page.get_by_text("<script>alert(1)</script>").first).to_be_attached()
    page.goto(f"{own}/compare?id=evil&id=..")
    expect(page.get_by_text("<b>tag</b>")).to_be_visible()
    page.goto(f"{own}/?text=card")
    page.locator('.narrow input[name="tag"]').check()
    expect(page.locator(".chips")).to_contain_text("<b>tag</b>")
    hand(page, _png(), name='"><img src=x onerror=alert(4)>.png')
    expect(page.locator(".chips .picture")).to_contain_text("<img src=x onerror=alert(4)>")
    page.locator(".results .look").first.hover()
    assert dialogs == []


def _png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(buffer, "PNG")
    return buffer.getvalue()
