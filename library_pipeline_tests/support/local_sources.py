"""Local sources over a test's folder, and all that one reading of them says."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from library_pipeline.catalog.component import Component, FileKind, FileRef
from library_pipeline.catalog.errors import ManifestError
from library_pipeline.settings.source_keys import MappingSettings, SourceSettings
from library_pipeline.sources.entry import ManifestProblem
from library_pipeline.sources.http.rules import FileRule, UrlRefused
from library_pipeline.sources.inline import item_file_url
from library_pipeline.sources.source import OpenSource


def settings(kind: str, **keys: Any) -> SourceSettings:
    return SourceSettings.model_validate({"name": "shop", "kind": kind, **keys})


def entries(source: AbstractContextManager[OpenSource]) -> list[Component | ManifestProblem]:
    """Return all that a source lists."""
    with source as opened:
        return [entry for page in opened.pages() for entry in page.entries]


def components(source: AbstractContextManager[OpenSource]) -> dict[str, Component]:
    """Return the components that a source lists, by name; there must be no problems."""
    listed = entries(source)
    assert not [entry for entry in listed if isinstance(entry, ManifestProblem)]
    return {entry.name: entry for entry in listed if isinstance(entry, Component)}


def problems(source: AbstractContextManager[OpenSource]) -> list[ManifestProblem]:
    return [entry for entry in entries(source) if isinstance(entry, ManifestProblem)]


def etag(source: AbstractContextManager[OpenSource]) -> str | None:
    with source as opened:
        return opened.changed(None).etag


class FakeMapping:
    """ItemMapping for items like {"id", "title", "image", "hidden"}, without expressions."""

    def __init__(
        self, mapping: MappingSettings, *, source: str, prefix: str, files: FileRule
    ) -> None:
        self._key, self._source, self._prefix, self._files = mapping.items, source, prefix, files

    def items_in(self, page: Any) -> list[object]:
        items = page.get(self._key) if self._key else page
        if not isinstance(items, list):
            raise ManifestError("manifest.unusable", "mapping.items finds no list")
        return items

    def id_of(self, item: Any) -> object:
        return item.get("id") if isinstance(item, dict) else None

    def entry(self, item: Any, position: int, base: str) -> Component | ManifestProblem | None:
        if not isinstance(item, dict) or item.get("id") is None:
            why = f"component without id (entry {position})"
            return ManifestProblem(position, None, "id", "", "manifest.missing_id", why)
        if item.get("hidden"):
            return None
        component_id = f"{self._prefix}{item['id']}"
        url = item_file_url(item["image"], base) if base else item["image"]
        try:
            self._files.check(url)
        except UrlRefused as refused:
            return ManifestProblem(
                position, component_id, "image", url, f"manifest.{refused.code}", str(refused)
            )
        files: dict[FileKind, FileRef] = {"screenshot": FileRef(url)}
        revision = f"{item.get('title')} {item.get('price')}"
        title = str(item.get("title"))
        return Component(component_id, revision, title, files, source=self._source)
