"""The map in a real browser: it draws, moves, zooms, tells and leads on; by hand and by keys."""

from __future__ import annotations

import gzip
import html
import json
import re
import sys

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from library_pipeline_tests.support.pages import Look

COLOURS = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const found = new Set();
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] === 255) found.add(data.slice(i, i + 3).join());
  }
  return [...found]; }"""


def opened(page: Page, site: str, query: str = "") -> Locator:
    """Return the canvas, drawn."""
    page.goto(f"{site}/atlas{query}")
    canvas = page.locator("#map[data-ready]")
    expect(canvas).to_be_visible()
    expect(canvas).to_have_attribute("data-drawn", re.compile("[1-9]"))
    page.wait_for_load_state("networkidle")
    settled(page)
    return canvas


def drawn(canvas: Locator) -> int:
    return int(canvas.get_attribute("data-drawn") or 0)


def zoom(canvas: Locator) -> float:
    return float(canvas.get_attribute("data-zoom") or 0)


def settled(page: Page) -> None:
    """Wait until what was asked for is drawn, and the list below has what is in view of it."""
    page.evaluate(
        """() => new Promise(done => {
             const of = selector => document.querySelector(selector).dataset.view;
             const look = () => of("#map") === of(".visible") ? done() : setTimeout(look, 30);
             requestAnimationFrame(() => requestAnimationFrame(look)); })"""
    )


def test_all_are_drawn_and_the_list_has_those_in_view(page: Page, site: str, look: Look) -> None:
    canvas = opened(page, site)
    every = len(httpx.get(site + "/api/atlas").json()["ids"])
    assert drawn(canvas) == every
    assert len(canvas.evaluate(COLOURS)) > 20  # thumbnails, by now
    expect(page.locator("#in-view")).to_contain_text(str(every))
    look(page, "atlas")
    for _ in range(8):
        page.get_by_role("button", name="Zoom in").click()
    settled(page)
    assert zoom(canvas) > 10
    assert drawn(canvas) < every
    expect(page.locator(".visible li")).to_have_count(min(60, drawn(canvas)))


def test_colours_by_client_and_a_legend_that_hides(page: Page, site: str) -> None:
    canvas = opened(page, site)
    before = page.locator(".legend").inner_text()
    page.get_by_label("Colour by").select_option("client")
    expect(page.locator(".legend")).not_to_have_text(before)
    assert "colour=client" in page.url
    data = httpx.get(site + "/api/atlas").json()
    largest = data["clients"][0]
    button = page.locator(".legend").get_by_role("button", name=largest)
    expect(button).to_contain_text(str(data["client"].count(0)))
    every = drawn(canvas)
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    settled(page)
    assert drawn(canvas) == every - data["client"].count(0)


def test_a_click_opens_what_is_under_it_and_hovering_tells_of_it(page: Page, site: str) -> None:
    canvas = opened(page, site)
    data = httpx.get(site + "/api/atlas").json()
    box = canvas.bounding_box()
    assert box
    for _ in range(4):
        page.get_by_role("button", name="Zoom in").click()
    settled(page)
    page.wait_for_load_state("networkidle")
    settled(page)
    for step in range(1, 200):  # somewhere there is one
        x = box["x"] + box["width"] * (step * 0.137 % 1)
        y = box["y"] + box["height"] * (step * 0.291 % 1)
        page.mouse.move(x, y)
        if page.locator(".tip").is_visible():
            break
    told = page.locator(".tip b").inner_text()
    assert told in data["names"]
    page.mouse.click(x, y)
    page.wait_for_url("**/components/**")
    expect(page.get_by_role("heading", level=1)).to_have_text(told)


def test_the_keyboard_moves_zooms_and_walks(page: Page, site: str) -> None:
    canvas = opened(page, site)
    every = drawn(canvas)
    canvas.focus()
    for _ in range(3):
        page.keyboard.press("+")
    settled(page)
    near = zoom(canvas)
    assert near > 3
    before = page.locator(".visible").inner_html()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    settled(page)
    assert page.locator(".visible").inner_html() != before
    page.keyboard.press("0")
    settled(page)
    assert (zoom(canvas), drawn(canvas)) == (1, every)
    page.locator(".visible a").first.focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.visible') !== null")
    page.keyboard.press("Enter")
    page.wait_for_url("**/components/**")


def test_what_fits_a_text_is_marked(page: Page, site: str) -> None:
    canvas = opened(page, site)
    page.get_by_label("Mark the components that fit a text").fill("a pricing table")
    page.keyboard.press("Enter")
    expect(page.locator(".charts .status")).to_contain_text("are marked")
    assert canvas.get_attribute("data-marked") == "24"
    best = httpx.get(site + "/api/search?text=a+pricing+table&k=24").json()
    settled(page)
    names = page.locator(".visible b").all_text_contents()[:24]
    assert set(names) == {each["name"] for each in best}


def test_two_fingers_pinch_and_a_tap_tells(page: Page, site: str) -> None:
    canvas = opened(page, site)
    canvas.evaluate(
        """canvas => {
          const at = (type, id, x, y) => canvas.dispatchEvent(new PointerEvent(type, {
            pointerId: id, pointerType: "touch", clientX: x, clientY: y, bubbles: true }));
          canvas.setPointerCapture = () => {};
          const { left, top } = canvas.getBoundingClientRect();
          at("pointerdown", 1, left + 400, top + 200); at("pointerdown", 2, left + 500, top + 200);
          at("pointermove", 2, left + 700, top + 200);
          at("pointerup", 1, left + 400, top + 200); at("pointerup", 2, left + 700, top + 200); }"""
    )
    settled(page)
    assert zoom(canvas) == 3


def test_without_a_script_the_list_has_all_part_by_part(
    browser_without_script: Page, site: str
) -> None:
    page = browser_without_script
    page.goto(site + "/atlas")
    assert not page.locator("#map").is_visible()
    first = page.locator(".visible b").all_text_contents()
    assert len(first) == 60
    page.get_by_role("link", name="After").click()
    second = page.locator(".visible b").all_text_contents()
    assert len(first) + len(second) == len(httpx.get(site + "/api/atlas").json()["ids"])


def test_the_points_come_as_columns_compressed_and_only_once(site: str) -> None:
    with httpx.stream("GET", site + "/api/atlas", headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    data = json.loads(gzip.decompress(raw))
    columns = [data[name] for name in ("ids", "names", "shots", "x", "y", "client", "category")]
    assert len({len(column) for column in columns}) == 1
    assert 0 <= min(data["x"]) <= max(data["x"]) <= 65535
    plain = httpx.get(site + "/api/atlas", headers={"Accept-Encoding": "identity"})
    assert plain.json() == data
    again = {"If-None-Match": answer.headers["etag"]}
    assert httpx.get(site + "/api/atlas", headers=again).status_code == 304
    assert httpx.get(site + "/api/atlas?encoder=nobody").status_code == 400


def test_the_page_says_how_a_better_map_is_had(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)  # the import fails
    text = html.unescape(httpx.get(site + "/atlas").text)
    assert "a better map needs UMAP: <code>pip install 'library-pipeline[atlas]'</code>" in text
    monkeypatch.undo()
    assert "the job <code>layout_atlas</code> draws a better map" in httpx.get(site + "/atlas").text
