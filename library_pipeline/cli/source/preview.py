"""`library-pipeline source preview`: the first screenshots of a source, as a picture or a page."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import jinja2
from PIL import Image
from rich.color import Color
from rich.console import Console, Group
from rich.style import Style
from rich.table import Table
from rich.text import Text

from library_pipeline.bundles.download import FileError, SourceFiles
from library_pipeline.catalog.component import Component, FileRef
from library_pipeline.catalog.errors import ManifestError
from library_pipeline.cli.console import console, fail
from library_pipeline.cli.screen import Screen, source_secrets
from library_pipeline.cli.source.overview import brief_settings
from library_pipeline.encoders import ImageError, read_image, thumbnail
from library_pipeline.settings import Settings
from library_pipeline.sources.entry import ManifestProblem
from library_pipeline.sources.factory import configured_sources, listed_sources
from library_pipeline.sources.source import Source

_SUFFIXES: Final = (".html", ".htm")
_TEMPLATE: Final = Path(__file__).with_name("page.html")
_TILE: Final = 34
_GAP: Final = 2
_UPPER_HALF: Final = "▀"
# Twice the size on a page, for displays of high resolution.
WIDTH: Final = 480
HEIGHT: Final = 360
# The largest picture allowed takes 150 MB while it is decoded.
_MAX_CONCURRENT: Final = 4


@dataclass(frozen=True, slots=True)
class Preview:
    """The screenshot of a component: WebP bytes of at most WIDTH x HEIGHT, or why there is none."""

    component_id: str
    name: str
    picture: bytes | None
    reason: str = ""


def preview_source(
    settings: Settings, name: str, *, items: int, output: Path | None, in_browser: bool
) -> bool:
    """Show the first screenshots of a source; return whether there is one."""
    _check_output(output)
    (source,) = configured_sources(*brief_settings(settings, name))
    screen = Screen(source_secrets(source))
    entries, error = first_entries(source, items)
    if error:
        screen.error(error.message)
    if not entries:
        if not error:
            screen.line(f"The source {name} lists nothing: library-pipeline source check {name}")
        return False
    with console.status(f"{len(entries)} screenshots"):
        shots = take_screenshots(source, entries)
    if output is None:
        draw_screenshots(console, [shot for shot in shots if shot.picture], screen)
    else:
        address, now = listed_sources(settings)[name], datetime.now().astimezone()
        _write(output, render_page(name, address, shots, screen, now))
    _print_failures(shots, screen)
    shown = sum(shot.picture is not None for shot in shots)
    where = f": {output}" if output else ""
    screen.line(f"{shown} of {len(shots)} components have a picture{where}")
    if output and in_browser:
        webbrowser.open(output.resolve().as_uri())
    return shown > 0


def _check_output(output: Path | None) -> None:
    if output is None and not shows_colours(console):
        fail("pictures need a terminal with colours; write a page instead: --output FILE.html")
    if output is not None and output.suffix.lower() not in _SUFFIXES:
        fail(f"--output writes an HTML page, and {output} does not end in .html")


def _write(output: Path, page: str) -> None:
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(page, encoding="utf-8")
    except OSError as error:
        fail(f"{output} cannot be written: {error.strerror}")


def _print_failures(shots: Sequence[Preview], screen: Screen) -> None:
    for shot in shots:
        if shot.picture is None:
            name = f" {shot.name}" if shot.name not in ("", shot.component_id) else ""
            screen.line(f"{shot.component_id or 'without an id'}{name}", "bold red")
            screen.line(f"     {shot.reason}")


def render_page(
    name: str, address: str, shots: Sequence[Preview], screen: Screen, taken_at: datetime
) -> str:
    """Return one HTML page that loads nothing and has no script; escape all its text."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        name=screen.clean(name),
        address=screen.clean(address),
        taken_at=taken_at,
        cards=[_card(shot, screen) for shot in shots if shot.picture],
        failed=[_card(shot, screen) for shot in shots if not shot.picture],
    )


def _card(shot: Preview, screen: Screen) -> dict[str, str]:
    data = base64.b64encode(shot.picture or b"").decode("ascii")
    return {
        "id": screen.clean(shot.component_id) or "without an id",
        "name": screen.clean(shot.name),
        "reason": screen.clean(shot.reason),
        "picture": f"data:image/webp;base64,{data}",
    }


def shows_colours(console: Console) -> bool:
    """Return whether this terminal can show pictures; sixteen colours are too few."""
    enough = console.color_system in ("truecolor", "256")
    return console.is_terminal and enough and not console.no_color


def draw_screenshots(console: Console, shots: Sequence[Preview], screen: Screen) -> None:
    """Print the pictures in rows, as many as fit, each above its id and name."""
    columns = max(1, (console.width + _GAP) // (_TILE + _GAP))
    width = min(_TILE, console.width)
    for start in range(0, len(shots), columns):
        row = Table.grid(padding=(0, _GAP, 0, 0))
        tiles = [_tile(shot, width, screen) for shot in shots[start : start + columns]]
        for _ in tiles:
            row.add_column(width=width, no_wrap=True, overflow="ellipsis", vertical="bottom")
        row.add_row(*tiles)
        console.print(row)
        console.print()


def _tile(shot: Preview, width: int, screen: Screen) -> Group:
    lines = [Text(screen.clean(shot.component_id), style="bold")]
    if shot.name != shot.component_id:
        lines.append(Text(screen.clean(shot.name)))
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Group(half_blocks(read_image(shot.picture or b""), width), *lines)


def half_blocks(picture: Image.Image, width: int) -> Text:
    """Return a picture in lines of at most `width` characters; each shows two pixels.

    The upper pixel is the colour of the character, the lower one its background. The picture
    keeps its shape, as a character is twice as high as wide, and its height is at most three
    quarters of `width`.
    """
    scale = min(width / picture.width, width * 3 / 4 / picture.height)
    columns = max(1, round(picture.width * scale))
    rows = max(1, round(picture.height * scale / 2))
    small = picture.resize((columns, 2 * rows), Image.Resampling.BOX)
    pixels = small.tobytes()  # RGB, row by row

    def colour(x: int, y: int) -> Color:
        at = 3 * (y * columns + x)
        return Color.from_rgb(*pixels[at : at + 3])

    text = Text(no_wrap=True)
    for y in range(0, 2 * rows, 2):
        if y:
            text.append("\n")
        for x in range(columns):
            text.append(_UPPER_HALF, Style(color=colour(x, y), bgcolor=colour(x, y + 1)))
    return text


def first_entries(
    source: Source, max_components: int
) -> tuple[list[Component | ManifestProblem], ManifestError | None]:
    """Return the first entries, up to `max_components` components, and the error after them."""
    found: list[Component | ManifestProblem] = []
    components = 0
    try:
        with source.open() as opened:
            for entry in (entry for page in opened.pages() for entry in page.entries):
                found.append(entry)
                components += isinstance(entry, Component)
                # Stop early in a source that lists only problems.
                if components == max_components or len(found) == 10 * max_components:
                    return found, None
    except ManifestError as error:
        return found, error
    return found, None


def take_screenshots(
    source: Source, entries: Sequence[Component | ManifestProblem]
) -> list[Preview]:
    """Download and shrink the screenshots; each that fails has a reason instead of a picture."""
    return asyncio.run(_take(source, entries))


async def _take(source: Source, entries: Sequence[Component | ManifestProblem]) -> list[Preview]:
    turns = asyncio.Semaphore(_MAX_CONCURRENT)
    async with SourceFiles(source) as files:
        return await asyncio.gather(*(_take_screenshot(files, entry, turns) for entry in entries))


async def _take_screenshot(
    files: SourceFiles, entry: Component | ManifestProblem, turns: asyncio.Semaphore
) -> Preview:
    if isinstance(entry, ManifestProblem):
        return Preview(entry.component_id or "", "", None, f"{entry.code}: {entry.message}")
    component_id, name = entry.component_id, entry.name
    ref = entry.files["screenshot"]
    async with turns:
        try:
            download = await files.get(ref.url, "screenshot")
            picture = await asyncio.to_thread(_shrink, ref, download.data)
        except (FileError, ImageError) as error:
            return Preview(component_id, name, None, f"{error.code}: {error.message}")
    return Preview(component_id, name, picture)


def _shrink(ref: FileRef, data: bytes) -> bytes:
    if ref.sha256 and hashlib.sha256(data).hexdigest() != ref.sha256:
        raise FileError(
            "digest_mismatch", f"its sha256 is not {ref.sha256}, as the source lists it"
        )
    return thumbnail(read_image(data), WIDTH, HEIGHT)
