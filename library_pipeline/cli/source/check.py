"""`library-pipeline source check`: the first page of a source, and how the mapping reads it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from library_pipeline.catalog.component import Component, FileRef
from library_pipeline.catalog.errors import ManifestError
from library_pipeline.cli.console import print_json
from library_pipeline.cli.screen import Screen, source_secrets
from library_pipeline.cli.source.overview import brief_settings, source_settings
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
from library_pipeline.sources.text import redacted, shorten

_MAPPED: Final = ("revision", "name", "client", "category", "tags", "updated_at", "attributes")
_TEXTS: Final = ("revision", "name", "client", "category")
_MAX_TEXT: Final = 300


@dataclass(frozen=True, slots=True)
class ItemReport:
    """One item: a component, a problem, or neither if `where` leaves it out."""

    component: dict[str, Any] | None
    problem: dict[str, Any] | None
    finds_nothing: Mapping[str, str]
    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SourceReport:
    """One source: its first page, or the error that kept it from being read."""

    name: str
    kind: str
    address: str
    preset: str | None = None
    ok: bool = False
    asked: str | None = None
    query_keys: Sequence[str] = ()
    polls: str | None = None
    items: int = 0
    usable: int = 0
    problems: int = 0
    left_out: int = 0
    total: int | None = None
    goes_on: bool | None = None
    unmapped: Sequence[str] = ()
    finds_nothing_anywhere: Mapping[str, str] = field(default_factory=dict[str, str])
    shown: Sequence[ItemReport] = ()
    error: dict[str, str] | None = None
    lists: Mapping[str, int] = field(default_factory=dict[str, int])
    """The path and length of each list of objects on the page, if `mapping.items` finds none."""
    page: Mapping[str, str] = field(default_factory=dict[str, str])
    """The keys of the page and their values in short, if `mapping.items` finds none."""


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
            _show_report(report, screen)
    if as_json:
        print_json({"ok": ok, "sources": found}, ascii_only=True)
    return ok


def _inspect(settings: Settings, name: str, items: int) -> tuple[SourceReport, Screen]:
    """Return a report on the first page of a source, and a screen that hides its secrets."""
    configured = source_settings(settings, name)
    blank = SourceReport(
        name,
        configured.kind if configured else "http",
        listed_sources(settings)[name],
        preset=configured.preset if configured else None,
        unmapped=_unmapped_keys(configured),
    )
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


def _show_report(report: SourceReport, screen: Screen) -> None:
    """Print a source, the counts of its first page, and its items."""
    preset = f", preset {report.preset}" if report.preset else ""
    screen.line(f"source {report.name}: {report.kind}{preset}", "bold")
    if report.error:
        screen.error(report.error["message"])
        _show_page(report, screen)
        return
    _show_summary(report, screen)
    last_keys: list[str] = []
    for number, item in enumerate(report.shown, 1):
        screen.line()
        _show_item(number, item, screen, keys_shown=last_keys == list(item.keys))
        if not item.component:
            last_keys = list(item.keys)
    _show_verdict(report, screen)


def _show_page(report: SourceReport, screen: Screen) -> None:
    """Print the lists and keys of a page in which the mapping finds no items."""
    for path, length in report.lists.items():
        screen.fact("a list", f"`{path}` finds {length} objects; is it the mapping's `items`?")
    for path, value in report.page.items():
        screen.fact("the page", f"{path}: {value}")


def _show_summary(report: SourceReport, screen: Screen) -> None:
    keys = f" (query: {', '.join(report.query_keys)})" if report.query_keys else ""
    screen.fact("asked", f"{report.asked}{keys}")
    parts = [_count(report.items), f"{report.usable} usable"]
    parts += [f"{report.problems} with problems"] if report.problems else []
    parts += [f"{report.left_out} left out by `where`"] if report.left_out else []
    screen.fact("first page", ", ".join(parts))
    if report.goes_on is not None:
        screen.fact("the whole", _whole(report))
    screen.fact("polls", report.polls or "")
    if report.unmapped:
        screen.fact("not mapped", ", ".join(report.unmapped))
    for key, expression in report.finds_nothing_anywhere.items():
        what = f"{key}: `{expression}` finds nothing in any item of this page"
        screen.fact("note", what, style="yellow")


def _whole(report: SourceReport) -> str:
    total = _count(report.total) if report.total is not None else "no total is given"
    if report.goes_on:
        return f"{total}, there is a next page"
    if report.total is not None and report.total > report.items:
        return f"{total}, but no next page is found; does `paging` fit this source?"
    return f"{total}, this is the only page"


def _show_item(number: int, item: ItemReport, screen: Screen, *, keys_shown: bool) -> None:
    if item.component:
        screen.line(f"{number:3}  {item.component['id']}", "bold green")
        _show_component(item.component, screen)
    elif item.problem:
        title = item.problem["component_id"] or "without an id"
        screen.line(f"{number:3}  {title}", "bold red")
        screen.fact("problem", item.problem["code"], indent=5, style="red")
        screen.fact("", item.problem["message"], indent=5)
        _show_keys(item, screen, keys_shown=keys_shown)
    else:
        screen.line(f"{number:3}  left out by `where`", "dim")
        _show_keys(item, screen, keys_shown=keys_shown)
        return
    for key, expression in item.finds_nothing.items():
        screen.fact("note", f"{key}: `{expression}` finds nothing here", indent=5, style="yellow")


def _show_keys(item: ItemReport, screen: Screen, *, keys_shown: bool) -> None:
    """Print the keys of an item, for a person who writes the mapping."""
    if item.keys:
        keys = "as before" if keys_shown else ", ".join(item.keys)
        screen.fact("its keys", keys, indent=5)


def _show_component(component: dict[str, Any], screen: Screen) -> None:
    for name in _TEXTS:
        screen.fact(name, component[name] or "-", indent=5)
    screen.fact("tags", ", ".join(component["tags"]) or "-", indent=5)
    screen.fact("updated_at", component["updated_at"] or "-", indent=5)
    for name, value in component["attributes"].items():
        text = json.dumps(value, ensure_ascii=False)
        shown = text if len(text) <= _MAX_TEXT else shorten(value)
        screen.fact("attribute", f"{name}: {shown}", indent=5)
    for kind, file in component["files"].items():
        size = file.get("inline_bytes")
        where = file["url"] if size is None else f"inline, {size:,} bytes"
        digest = f"  sha256 {file['sha256'][:12]}..." if file["sha256"] else ""
        screen.fact(kind, where + digest, indent=5)


def _show_verdict(report: SourceReport, screen: Screen) -> None:
    screen.line()
    if report.items > len(report.shown):
        hidden = _count(report.items - len(report.shown), "more ")
        screen.line(f"{hidden}: --items {report.items}")
    if report.usable:
        what = f"{report.usable} of {_count(report.items)} of this page can be used."
        screen.line(what, "bold green" if not report.problems else "bold yellow")
    elif report.items:
        screen.line("None of the items is a usable component.", "bold red")
    else:
        way_out = "is the address right, and may the credentials see the components?"
        screen.line(f"There are no items; {way_out}", "bold red")


def _count(number: int, more: str = "") -> str:
    return f"{number:,} {more}item{'' if number == 1 else 's'}"
