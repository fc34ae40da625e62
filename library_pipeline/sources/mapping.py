"""The mapping of library.yaml: from an item of any CMS's JSON to a component."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, cast
from urllib.parse import urljoin

from library_pipeline.catalog.component import FILE_KINDS, FileKind, FileRef
from library_pipeline.catalog.errors import ManifestError
from library_pipeline.settings.source_keys import FileSettings, MappingSettings, SourceSettings
from library_pipeline.sources.entry import Entry, parse_entry, problem_of
from library_pipeline.sources.expressions import (
    ExpressionFailed,
    Getter,
    getter,
    is_false,
    template,
)
from library_pipeline.sources.http.rules import FileRule
from library_pipeline.sources.inline import empty_file, inline_file, item_file_url
from library_pipeline.sources.text import shorten

_TEXTS: Final = ("name", "client", "category")
_CANONICAL: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
# A relative reference whose last segment cannot alter the folder before it, as `..` would.
_IN_A_FOLDER: Final = re.compile(
    r"((?:/|(?:\.\./)*)(?:[\w~-][\w.~-]*/)*)([\w~-][\w.~-]*)", re.ASCII
)


class NoItems(ManifestError):
    """`mapping.items` finds no list of items in `page`; `what` is the message without way out."""

    def __init__(self, source: str, why: str, page: object) -> None:
        self.what, self.page = f"source {source}: mapping.items {why}", page
        way_out = f"`library-pipeline source check {source}` shows a page"
        super().__init__("manifest.unusable", f"{self.what}; {way_out}")


class ItemMapping:
    """One source's mapping, compiled. It uses no network; URLs must pass `files`."""

    def __init__(
        self, mapping: MappingSettings, *, source: str, prefix: str, files: FileRule
    ) -> None:
        """Compile `mapping`; components get `source` and ids that begin with `prefix`."""
        self._source, self._prefix, self._rule = source, prefix, files
        self._keys = mapping
        self._items = getter(mapping.items or "@")
        self._where = getter(mapping.where) if mapping.where else None
        self.leaves_out = self._where is not None
        self._id = getter(mapping.id or "id")
        self._texts = {
            name: getter(expression)
            for name in _TEXTS
            if (expression := getattr(mapping, name)) is not None
        }
        self._tags = getter(mapping.tags) if mapping.tags else None
        self._updated_at = getter(mapping.updated_at) if mapping.updated_at else None
        self._attributes = {name: getter(text) for name, text in mapping.attributes.items()}
        self._revision = _revision(mapping.revision)
        self._files = {kind: _file(kind, getattr(mapping.files, kind)) for kind in FILE_KINDS}

    def items_in(self, page: object) -> list[object]:
        """Return the list of items in a page; raises NoItems."""
        try:
            found = self._items(page)
        except ExpressionFailed as failed:
            raise NoItems(self._source, f"cannot be found: {failed}", page) from None
        if not isinstance(found, list):
            keys = ", ".join(map(shorten, list(cast("dict[str, object]", page))[:10])) or "none"
            what = f"the page's keys are {keys}" if isinstance(page, dict) else shorten(page)
            why = f"finds {shorten(found)}, not a list of items ({what})"
            raise NoItems(self._source, why, page)
        return cast("list[object]", found)

    def id_of(self, item: object) -> object:
        """Return an item's own id, of any type; None if it has none."""
        try:
            return self._id(item)
        except ExpressionFailed:
            return None

    def entry(self, item: object, position: int, base: str) -> Entry | None:
        """Return the entry that an item makes, None if `where` leaves it out.

        Relative references to files are joined to the URL `base`.
        """
        try:
            if self._where is not None and is_false(self._where(item)):
                return None
            entry = self._mapped(item, base)
        except (ExpressionFailed, RecursionError) as failed:
            reason = str(failed) if isinstance(failed, ExpressionFailed) else "it is too deep"
            return problem_of(position, self._named(item), "expression_failed", reason)
        return parse_entry(entry, position, self._rule, source=self._source, prefix=self._prefix)

    def finds_nothing(self, item: object) -> dict[str, str]:
        """Return the mapped keys that find nothing in an item, each with its expression.

        This is slow, so `entry` leaves it out; use it for a few items.
        """
        return {
            key: expression
            for key, expression, find in _keys_of(self._keys)
            if _nothing(find, item)
        }

    def _mapped(self, item: object, base: str) -> dict[str, object]:
        """Return the item as an entry of the contract in docs/cms.md."""
        entry: dict[str, object] = {name: _words(find(item)) for name, find in self._texts.items()}
        entry["id"] = _words(self._id(item))
        if self._tags:
            entry["tags"] = _list(self._tags(item))
        if self._updated_at:
            entry["updated_at"] = self._updated_at(item) or None
        if self._attributes:
            entry["attributes"] = {name: find(item) for name, find in self._attributes.items()}
        entry["files"] = {kind: find(item, base) for kind, find in self._files.items()}
        revision = self._revision(item) if self._revision else None
        entry["revision"] = _digest(_plain(entry)) if revision in (None, "") else revision
        return entry

    def _named(self, item: object) -> str | None:
        found = _words(self.id_of(item))
        return f"{self._prefix}{found}" if isinstance(found, str) and found else None


MakeMapping = Callable[..., ItemMapping]
"""What makes a mapping: takes what ItemMapping takes."""


def mapping_of(settings: SourceSettings, make: MakeMapping, files: FileRule) -> ItemMapping:
    """Return the mapping that `make` makes for a source, whose files must pass `files`."""
    return make(settings.mapping, source=settings.name, prefix=settings.id_prefix, files=files)


def digest_of_mapping(settings: SourceSettings) -> str:
    """Return a hash of what entries depend on besides the listing itself.

    An ETag knows nothing of that: with another mapping everything has to be read again.
    """
    text = f"{settings.id_prefix}\n{settings.mapping.model_dump_json()}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _keys_of(mapping: MappingSettings) -> Iterator[tuple[str, str, Getter]]:
    """Yield each key of a mapping: its name, its expression, and the function that finds."""
    revision = mapping.revision or ()
    named = [(key, getattr(mapping, key)) for key in (*_TEXTS, "tags", "updated_at")]
    named += [
        ("revision", each) for each in ([revision] if isinstance(revision, str) else revision)
    ]
    named += [(f"attributes.{name}", each) for name, each in mapping.attributes.items()]
    for kind in FILE_KINDS:
        file = getattr(mapping.files, kind) or FileSettings.model_construct()
        named += [
            (f"files.{kind}.{way}", getattr(file, way)) for way in ("url", "inline", "sha256")
        ]
        if file.template:
            yield f"files.{kind}.template", file.template, template(file.template)
    for key, expression in [("id", mapping.id or "id"), *named]:
        if expression is not None:
            yield key, expression, getter(expression)


def _nothing(find: Getter, item: object) -> bool:
    """Return whether nothing is found; an expression that fails is a problem instead."""
    try:
        found = find(item)
    except (ExpressionFailed, RecursionError):
        return False
    return found is None or found in ("", [], {})


def _file(kind: FileKind, settings: FileSettings | None) -> Callable[[object, str], object]:
    """Return a function that finds a file of an item; it gives None if a needed file is missing."""
    if settings is None:  # the config then holds the item
        return lambda item, base: inline_file(kind, item) if kind == "config" else _lacking(kind)
    if settings.inline is not None:
        inline = getter(settings.inline)
        return lambda item, base: (
            _lacking(kind) if (value := inline(item)) is None else inline_file(kind, value)
        )
    find = template(settings.template) if settings.template else getter(settings.url or "@")
    sha256 = getter(settings.sha256) if settings.sha256 else None

    def located(item: object, base: str) -> object:
        url = find(item)
        if not isinstance(url, str) or not url:
            return _lacking(kind)
        return {"url": _absolute(url, base), "sha256": (sha256(item) or None) if sha256 else None}

    return located


def _absolute(url: str, base: str) -> str:
    if url.startswith(("https://", "http://")):
        return url
    if base.startswith("file:"):
        return item_file_url(url, base)  # a path, in which `#` or `?` may be
    if (plain := _IN_A_FOLDER.fullmatch(url)) and plain[1]:
        return f"{_joined(base, plain[1])}{plain[2]}"
    try:
        return urljoin(base, url)
    except ValueError:
        return url  # no valid URL; the rule for files will refuse it


# To join takes a tenth of an item's time, and the items of a page have few folders.
_joined = lru_cache(maxsize=64)(urljoin)


def _lacking(kind: FileKind) -> FileRef | None:
    return None if kind == "screenshot" else empty_file(kind)


def _revision(expressions: str | tuple[str, ...] | None) -> Getter | None:
    if expressions is None:
        return None
    if isinstance(expressions, str):
        find = getter(expressions)
        return lambda item: _words(find(item))
    several = [getter(expression) for expression in expressions]
    return lambda item: _digest([find(item) for find in several])


def _plain(entry: Mapping[str, object]) -> object:
    files = cast("dict[str, Any]", entry["files"])
    shown = {kind: ref.url if isinstance(ref, FileRef) else ref for kind, ref in files.items()}
    return {**entry, "files": shown}


def _digest(value: object) -> str:
    return hashlib.sha256(_CANONICAL.encode(value).encode()).hexdigest()


def _words(value: object) -> object:
    """Return a number as text, and anything else as it is; the entry's check refuses the rest."""
    if isinstance(value, str) or value is None:  # most values; the check below takes longer
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _list(value: object) -> object:
    """Return a list of tags as texts, or a text split at its commas."""
    if isinstance(value, str):
        return [tag for part in value.split(",") if (tag := part.strip())]
    if isinstance(value, list):
        return [_words(tag) for tag in cast("list[object]", value) if tag is not None]
    return value
