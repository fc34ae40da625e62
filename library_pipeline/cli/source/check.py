"""`library-pipeline source check`: a source's first page, and what is understood of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from library_pipeline.cli.source.choosing import asked_briefly, secrets_of, source_settings
from library_pipeline.cli.source.report import SourceReport, of_sample, unmapped_keys
from library_pipeline.cli.source.screen import Screen, print_json
from library_pipeline.cli.source.show import show_report
from library_pipeline.settings import Settings, SettingsError
from library_pipeline.sources.factory import listed_sources
from library_pipeline.sources.manifest_page import ManifestError
from library_pipeline.sources.mapping import NoItems
from library_pipeline.sources.sample import lists_in, outline, sampled_source, take_sample


def check_sources(settings: Settings, names: Sequence[str], *, items: int, as_json: bool) -> bool:
    """Print what the sources list first, and return whether each has something usable."""
    found: list[object] = []
    ok = True
    for number, name in enumerate(names):
        report, screen = _look(settings, name, items)
        ok = ok and report.ok
        found.append(screen.without_secrets(dataclasses.asdict(report)))
        if not as_json:
            if number:
                screen.line()
            show_report(report, screen)
    if as_json:
        print_json({"ok": ok, "sources": found})
    return ok


def _look(settings: Settings, name: str, items: int) -> tuple[SourceReport, Screen]:
    """Return what a source's first page says, or why there is none, and what may show it."""
    blank = _blank(settings, name)
    try:
        source, recorder = sampled_source(*asked_briefly(settings, name))
    except SettingsError as error:
        said = str(error) if name in str(error) else f"source {name}: {error}"
        return _failed(blank, "settings", said), Screen()
    screen = Screen(secrets_of(source))
    try:
        sample = take_sample(source, recorder)
    except NoItems as error:
        report = _failed(blank, error.code, error.what)
        keys = outline(error.page)
        return dataclasses.replace(report, lists=lists_in(error.page), page=keys), screen
    except ManifestError as error:
        return _failed(blank, error.code, error.message), screen
    return of_sample(blank, sample, most=items), screen


def _blank(settings: Settings, name: str) -> SourceReport:
    configured = source_settings(settings, name)
    return SourceReport(
        name,
        configured.kind if configured else "http",
        listed_sources(settings)[name],
        preset=configured.preset if configured else None,
        unmapped=unmapped_keys(configured),
    )


def _failed(blank: SourceReport, code: str, message: str) -> SourceReport:
    return dataclasses.replace(blank, error={"code": code, "message": message})
