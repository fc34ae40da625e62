"""Screenshots in a terminal and on a page, and the reasons where there are none."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from library_pipeline.cli.screen import Screen
from library_pipeline.cli.source.preview import (
    Preview,
    draw_screenshots,
    half_blocks,
    shows_colours,
)
from library_pipeline.encoders import thumbnail
from library_pipeline.sample_cms import SampleCms
from library_pipeline_tests.support.command_line import run
from library_pipeline_tests.support.shop import (
    MAPPING,
    TOKEN,
    Shop,
    command,
    configure,
    item,
    source,
)

COLOURS = {"FORCE_COLOR": "1", "COLORTERM": "truecolor", "TERM": "xterm-256color"}


class Page(HTMLParser):
    """Tags and their attributes, as a browser reads them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_a_page_holds_all_that_it_shows(shop: Shop) -> None:
    shop.items[0] |= {"title": '<script>alert(1)</script>" onload="x'}
    shop.items[1] |= {"title": "\x1b[2J \u202egnp"}
    configure(source(shop))
    outcome = command("preview", "--output", "out/shop.html")
    assert outcome.exit_code == 0, outcome.output
    assert "4 of 4 components have a picture: out/shop.html" in outcome.output
    text = Path("out/shop.html").read_text()
    assert TOKEN not in text
    assert not {"\x1b", "\u202e"} & set(text)
    tags = Page(text).found
    assert {"script", "link"}.isdisjoint(tag for tag, _ in tags)
    images = [attributes for tag, attributes in tags if tag == "img"]
    assert images[0]["alt"] == 'Screenshot of <script>alert(1)</script>" onload="x'
    assert all((image["src"] or "").startswith("data:image/webp;base64,") for image in images)
    assert all(set(image) == {"src", "alt"} for image in images)
    assert "prefers-color-scheme: dark" in text


def test_what_cannot_be_shown_is_listed_with_its_reason(shop: Shop) -> None:
    shop.missing = {"/images/1.png"}
    shop.items[1] |= {"image": "https://evil.example/hat.png"}
    configure(source(shop))
    outcome = command("preview", "--output", "shop.html")
    assert outcome.exit_code == 0
    assert "shop:1 Hat 1" in outcome.output
    assert "not_found: the answer was 404" in outcome.output
    assert "manifest.foreign_origin" in outcome.output
    assert "2 of 4 components have a picture" in outcome.output
    assert "not_found: the answer was 404" in Path("shop.html").read_text()


def test_a_source_without_any_picture_ends_with_1(shop: Shop) -> None:
    shop.items[:] = [item(1, image="/images/none.png")]
    shop.missing = {"/images/none.png"}
    configure(source(shop))
    assert command("preview", "--output", "shop.html").exit_code == 1


def test_a_source_that_lists_nothing_says_so(shop: Shop) -> None:
    shop.items.clear()
    configure(source(shop))
    outcome = command("preview", "--output", "shop.html")
    assert outcome.exit_code == 1
    assert "The source shop lists nothing" in outcome.output


def test_a_file_that_is_not_the_listed_one_is_not_shown(shop: Shop) -> None:
    shop.items[:] = [item(1, sha256="a" * 64)]
    files = {"screenshot": {"url": "image", "sha256": "sha256"}}
    configure(source(shop, mapping=MAPPING | {"files": files}))
    outcome = command("preview", "--output", "shop.html")
    assert outcome.exit_code == 1
    assert f"digest_mismatch: its sha256 is not {'a' * 64}" in outcome.output


def test_the_section_cms_is_shown_too(cms: SampleCms) -> None:
    outcome = command("preview", "--output", "cms.html")
    assert outcome.exit_code == 0
    assert "6 of 6 components have a picture" in outcome.output


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "hat.png").write_bytes(b"<html>")
    configure({"name": "folder", "kind": "images", "path": "pictures"})
    outcome = command("preview", "--output", "hats.html")
    assert outcome.exit_code == 1
    assert "image.not_an_image" in outcome.output


def test_no_more_screenshots_are_downloaded_than_asked_for(shop: Shop) -> None:
    configure(source(shop))
    command("preview", "--items", "2", "--output", "shop.html")
    assert sorted(shop.asked) == ["/api/hats", "/images/1.png", "/images/2.png"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "pictures need a terminal with colours; write a page instead: --output FILE.html"),
        (["--output", "shop.png"], "and shop.png does not end in .html"),
        (["--open"], "--open opens the page that --output writes"),
    ],
)
def test_a_way_to_see_pictures_is_named_before_anything_is_asked(
    shop: Shop, arguments: list[str], words: str
) -> None:
    configure(source(shop))
    outcome = command("preview", *arguments)
    assert outcome.exit_code == 2
    assert words in outcome.stderr
    assert shop.asked == []


def test_a_page_that_cannot_be_written_is_named(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    configure(source(shop))
    outcome = command("preview", "--output", "file/shop.html")
    assert outcome.exit_code == 2
    assert "file/shop.html cannot be written" in outcome.stderr


def test_a_terminal_with_colours_gets_the_pictures(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in COLOURS.items():
        monkeypatch.setenv(name, value)
    shop.items[0] |= {"title": "\x1b]0;owned\x07"}
    configure(source(shop))
    outcome = run("source", "preview")
    assert outcome.returncode == 0, outcome.stderr
    assert "▀" in outcome.stdout
    assert r"\x1b]0;owned\x07" in outcome.stdout
    assert "\x1b]" not in outcome.stdout
    assert "shop:4" in outcome.stdout


def terminal(width: int) -> Console:
    return Console(
        file=io.StringIO(),
        width=width,
        force_terminal=True,
        color_system="truecolor",
        no_color=False,
    )


@pytest.mark.parametrize("width", [20, 36, 80, 110])
def test_rows_of_pictures_fit_the_terminal(width: int) -> None:
    picture = thumbnail(Image.new("RGB", (300, 200), (10, 20, 30)))
    shots = [Preview(f"shop:{n}", "A very long name indeed " * 3, picture) for n in range(5)]
    console = terminal(width)
    draw_screenshots(console, shots, Screen())
    assert isinstance(console.file, io.StringIO)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", console.file.getvalue()).splitlines()
    assert max(map(len, lines)) <= width
    assert sum(line.count("shop:") for line in lines) == 5


def test_a_character_is_two_pixels() -> None:
    picture = Image.new("RGB", (2, 2), (255, 0, 0))
    picture.putpixel((0, 1), (0, 0, 255))
    (first, *_) = half_blocks(picture, 2).spans
    assert half_blocks(picture, 2).plain == "▀▀"
    assert str(first.style) == "#ff0000 on #0000ff"


@pytest.mark.parametrize("size", [(10_000, 1), (1, 10_000), (1, 1)])
def test_extreme_shapes_still_are_pictures(size: tuple[int, int]) -> None:
    text = half_blocks(Image.new("RGB", size), 34).plain.split("\n")
    assert 1 <= len(text) <= 13
    assert 1 <= len(text[0]) <= 34


def test_terminals_of_few_colours_get_no_pictures() -> None:
    assert shows_colours(terminal(80))
    assert not shows_colours(Console(force_terminal=True, color_system="standard"))
    assert not shows_colours(Console(file=io.StringIO()))
