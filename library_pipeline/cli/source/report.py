"""What was found out about one source, as data: what --json prints and the terminal shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from library_pipeline.catalog.component import Component, FileRef
from library_pipeline.settings.sources import MappingSettings, SourceSettings
from library_pipeline.sources.entry import ManifestProblem
from library_pipeline.sources.inline import data_in, is_data_url
from library_pipeline.sources.sample import SampleItem, SourceSample, outline
from library_pipeline.sources.text import redacted

_MAPPED = ("revision", "name", "client", "category", "tags", "updated_at", "attributes")


@dataclass(frozen=True, slots=True)
class ItemReport:
    """One item: a component, a problem, or neither where `where` leaves it out."""

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
    """Where the page has lists of objects, if `mapping.items` finds none."""
    page: Mapping[str, str] = field(default_factory=dict[str, str])
    """What the page has, if `mapping.items` finds none."""


def of_sample(blank: SourceReport, sample: SourceSample, *, most: int) -> SourceReport:
    """Return the report on a page, with at most `most` of its items."""
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
        finds_nothing_anywhere=_nowhere(sample.items),
        shown=[_item(each) for each in sample.items[:most]],
    )


def unmapped_keys(settings: SourceSettings | None) -> list[str]:
    """Return what the mapping of a source says nothing of, for kinds that have a mapping."""
    if settings is None or settings.kind not in ("http", "items", "sql"):
        return []
    mapping: MappingSettings = settings.mapping
    files = [f"files.{kind}" for kind, file in mapping.files if file is None]
    return [*(key for key in _MAPPED if not getattr(mapping, key)), *files]


def _nowhere(items: Sequence[SampleItem]) -> dict[str, str]:
    """Return the mapped keys that find nothing in any item."""
    found = [each.finds_nothing for each in items if each.item is not None]
    if not found:
        return {}
    return {key: text for key, text in found[0].items() if all(key in each for each in found)}


def _item(sampled: SampleItem) -> ItemReport:
    entry = sampled.entry
    return ItemReport(
        component=_component(entry) if isinstance(entry, Component) else None,
        problem=_problem(entry) if isinstance(entry, ManifestProblem) else None,
        finds_nothing=sampled.finds_nothing,
        keys=outline(sampled.item),
    )


def _component(entry: Component) -> dict[str, Any]:
    return {
        "id": entry.component_id,
        "revision": entry.revision,
        "name": entry.name,
        "client": entry.client,
        "category": entry.category,
        "tags": list(entry.tags),
        "updated_at": entry.updated_at.isoformat() if entry.updated_at else None,
        "attributes": dict(entry.attributes),
        "files": {kind: _file(ref) for kind, ref in entry.files.items()},
    }


def _file(ref: FileRef) -> dict[str, Any]:
    if is_data_url(ref.url):
        return {"inline_bytes": len(data_in(ref.url)), "sha256": ref.sha256}
    return {"url": redacted(ref.url), "sha256": ref.sha256}


def _problem(entry: ManifestProblem) -> dict[str, Any]:
    return {
        "component_id": entry.component_id,
        "code": entry.code,
        "field": entry.field,
        "value": entry.value,
        "message": entry.message,
    }
