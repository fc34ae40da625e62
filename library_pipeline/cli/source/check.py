"""`library-pipeline source check`: the first page of a source, and what is understood of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from library_pipeline.catalog.component import Component, FileRef
from library_pipeline.catalog.errors import ManifestError
from library_pipeline.cli.console import print_json
from library_pipeline.cli.screen import Screen, source_secrets
from library_pipeline.cli.source.overview import brief_settings, source_settings
from library_pipeline.cli.source.report import ItemReport, SourceReport, show_report
from library_pipeline.settings import Settings, SettingsError
from library_pipeline.settings.source_keys import MappingSettings, SourceSettings
from library_pipeline.sources.entry import ManifestProblem
from library_pipeline.sources.factory import listed_sources
from library_pipeline.sources.inline import data_in, is_data_url
from library_pipeline.sources.mapping import NoItems
from library_pipeline.sources.sample import (
    SampleItem,
    SourceSample,
    lists_in,
    outline,
    sampled_source,
    take_sample,
)
from library_pipeline.sources.text import redacted

_MAPPED = ("revision", "name", "client", "category", "tags", "updated_at", "attributes")


def check_sources(settings: Settings, names: Sequence[str], *, items: int, as_json: bool) -> bool:
    """Print the first page of each source; return whether each has a usable component."""
    found: list[object] = []
    ok = True
    for number, name in enumerate(names):
        report, screen = _inspect(settings, name, items)
        ok = ok and report.ok
        found.append(screen.without_secrets(dataclasses.asdict(report)))
        if not as_json:
            if number:
                screen.line()
            show_report(report, screen)
    if as_json:
        print_json({"ok": ok, "sources": found}, ascii_only=True)
    return ok


def _inspect(settings: Settings, name: str, items: int) -> tuple[SourceReport, Screen]:
    """Return the report on the first page of a source, and a screen that hides its secrets."""
    blank = _blank(settings, name)
    try:
        source, recorder = sampled_source(*brief_settings(settings, name))
    except SettingsError as error:
        message = str(error) if name in str(error) else f"source {name}: {error}"
        return _failed(blank, "settings", message), Screen()
    screen = Screen(source_secrets(source))
    try:
        sample = take_sample(source, recorder)
    except NoItems as error:
        report = _failed(blank, error.code, error.what)
        keys = outline(error.page)
        return dataclasses.replace(report, lists=lists_in(error.page), page=keys), screen
    except ManifestError as error:
        return _failed(blank, error.code, error.message), screen
    return _report_page(blank, sample, max_items=items), screen


def _blank(settings: Settings, name: str) -> SourceReport:
    configured = source_settings(settings, name)
    return SourceReport(
        name,
        configured.kind if configured else "http",
        listed_sources(settings)[name],
        preset=configured.preset if configured else None,
        unmapped=_unmapped_keys(configured),
    )


def _failed(blank: SourceReport, code: str, message: str) -> SourceReport:
    return dataclasses.replace(blank, error={"code": code, "message": message})


def _report_page(blank: SourceReport, sample: SourceSample, *, max_items: int) -> SourceReport:
    """Return the report on a page, with at most `max_items` of its items."""
    entries = [each.entry for each in sample.items]
    usable = sum(isinstance(entry, Component) for entry in entries)
    url = sample.url or ""
    return dataclasses.replace(
        blank,
        ok=usable > 0,
        asked=redacted(url) if url else blank.address,
        query_keys=sorted({key for key, _ in parse_qsl(urlsplit(url).query, True)}),
        polls=sample.polls,
        items=len(entries),
        usable=usable,
        problems=sum(isinstance(entry, ManifestProblem) for entry in entries),
        left_out=sum(entry is None for entry in entries),
        total=sample.total,
        goes_on=sample.goes_on,
        finds_nothing_anywhere=_finds_nothing_anywhere(sample.items),
        shown=[_item_report(each) for each in sample.items[:max_items]],
    )


def _unmapped_keys(settings: SourceSettings | None) -> list[str]:
    """Return the keys that the mapping of a source leaves out; none for kinds without a mapping."""
    if settings is None or settings.kind not in ("http", "items", "sql"):
        return []
    mapping: MappingSettings = settings.mapping
    files = [f"files.{kind}" for kind, file in mapping.files if file is None]
    return [*(key for key in _MAPPED if not getattr(mapping, key)), *files]


def _finds_nothing_anywhere(items: Sequence[SampleItem]) -> dict[str, str]:
    """Return the mapped keys that find nothing in any item."""
    found = [each.finds_nothing for each in items if each.item is not None]
    if not found:
        return {}
    return {key: text for key, text in found[0].items() if all(key in each for each in found)}


def _item_report(sampled: SampleItem) -> ItemReport:
    entry = sampled.entry
    return ItemReport(
        component=_component_facts(entry) if isinstance(entry, Component) else None,
        problem=_problem_facts(entry) if isinstance(entry, ManifestProblem) else None,
        finds_nothing=sampled.finds_nothing,
        keys=outline(sampled.item),
    )


def _component_facts(entry: Component) -> dict[str, Any]:
    return {
        "id": entry.component_id,
        "revision": entry.revision,
        "name": entry.name,
        "client": entry.client,
        "category": entry.category,
        "tags": list(entry.tags),
        "updated_at": entry.updated_at.isoformat() if entry.updated_at else None,
        "attributes": dict(entry.attributes),
        "files": {kind: _file_facts(ref) for kind, ref in entry.files.items()},
    }


def _file_facts(ref: FileRef) -> dict[str, Any]:
    if is_data_url(ref.url):
        return {"inline_bytes": len(data_in(ref.url)), "sha256": ref.sha256}
    return {"url": redacted(ref.url), "sha256": ref.sha256}


def _problem_facts(entry: ManifestProblem) -> dict[str, Any]:
    return {
        "component_id": entry.component_id,
        "code": entry.code,
        "field": entry.field,
        "value": entry.value,
        "message": entry.message,
    }
