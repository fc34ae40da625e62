"""`library-pipeline source preview`: what a source's first components look like."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from library_pipeline.cli.console import console, fail
from library_pipeline.cli.source.choosing import asked_briefly, secrets_of
from library_pipeline.cli.source.page import page_of
from library_pipeline.cli.source.screen import Screen
from library_pipeline.cli.source.shots import Shot, first_entries, take_shots
from library_pipeline.cli.source.terminal import draw, shows_colours
from library_pipeline.settings import Settings
from library_pipeline.sources.factory import configured_sources, listed_sources

_SUFFIXES: Final = (".html", ".htm")


def preview_source(
    settings: Settings, name: str, *, items: int, output: Path | None, in_browser: bool
) -> bool:
    """Show the first screenshots of a source; return whether there was one to show."""
    _check_output(output)
    (source,) = configured_sources(*asked_briefly(settings, name))
    screen = Screen(secrets_of(source))
    entries, error = first_entries(source, items)
    if error:
        screen.error(error.message)
    if not entries:
        if not error:
            screen.line(f"The source {name} lists nothing: library-pipeline source check {name}")
        return False
    with console.status(f"{len(entries)} screenshots"):
        shots = take_shots(source, entries)
    if output is None:
        draw(console, [shot for shot in shots if shot.picture], screen)
    else:
        _write(output, page_of(name, listed_sources(settings)[name], shots, screen, _now()))
    _show_failed(shots, screen)
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


def _show_failed(shots: Sequence[Shot], screen: Screen) -> None:
    for shot in shots:
        if shot.picture is None:
            name = f" {shot.name}" if shot.name not in ("", shot.component_id) else ""
            screen.line(f"{shot.component_id or 'without an id'}{name}", "bold red")
            screen.line(f"     {shot.reason}")


def _now() -> datetime:
    return datetime.now().astimezone()
