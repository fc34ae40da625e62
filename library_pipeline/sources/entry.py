"""One entry of a manifest, from parsed JSON to a component or a problem that names a field."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from library_pipeline.catalog.component import FILE_KINDS, Component, FileKind, FileRef, Json
from library_pipeline.sources.http.rules import FileRule, UrlRefused
from library_pipeline.sources.text import redacted, shorten

MAX_TEXT_LENGTH = 500
MAX_TAGS = 200
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_WHY_UNSTORABLE = "it holds a NUL or half a surrogate pair, which cannot be stored"
MAX_ATTRIBUTES_LENGTH = 64 * 1024
MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class ManifestProblem:
    """An unusable entry: its position, the wrong field, and the reason."""

    position: int
    component_id: str | None
    field: str
    value: str
    code: str
    message: str
    updated_at: datetime | None = None
    """When the entry last changed, if that much of it is readable."""


Entry = Component | ManifestProblem


class _Unusable(Exception):
    """One field of an entry is wrong."""

    def __init__(self, field: str, value: object, code: str, why: str) -> None:
        super().__init__(why)
        self.field, self.value, self.code, self.why = field, value, code, why


def parse_entry(
    raw: object, position: int, files: FileRule, *, source: str = "cms", prefix: str = ""
) -> Entry:
    """Return the component that one entry describes, or the problem with it.

    The component has the `source`, and an id that begins with `prefix`. `position` counts the
    manifest's entries. Ids that are listed twice show only in the whole manifest.
    """
    component_id: str | None = None
    try:
        if not isinstance(raw, dict):
            raise _Unusable("", raw, "not_an_object", "the entry is not an object")
        entry = cast("dict[str, object]", raw)
        component_id = prefix + _component_id(entry)
        if too_deep(entry):
            why = f"lists and objects in it lie in each other more than {MAX_DEPTH} deep"
            raise _Unusable("", raw, "too_deep", why)
        return _component(component_id, entry, files, source)
    except _Unusable as unusable:
        value = shorten(unusable.value)
        at = f"{unusable.field}={value}" if unusable.field else value
        return ManifestProblem(
            position,
            component_id,
            unusable.field,
            value,
            f"manifest.{unusable.code}",
            f"{_named(component_id, position)}: {at}: {unusable.why}",
            utc_time(cast("dict[str, object]", raw).get("updated_at"))
            if isinstance(raw, dict)
            else None,
        )


def problem_of(
    position: int, component_id: str | None, code: str, why: str, *, where: str = ""
) -> ManifestProblem:
    """Return the problem of an entry, file or line that could not even be taken apart.

    `where` names the file or line. Without a `component_id`, nothing that the source lacks may be
    removed.
    """
    shown = shorten(where) if where else ""
    message = ": ".join(filter(None, (_named(component_id, position), shown, why)))
    return ManifestProblem(position, component_id, "", shown, f"manifest.{code}", message)


def _named(component_id: str | None, position: int) -> str:
    name = f"component {shorten(component_id)}" if component_id else "component without id"
    return f"{name} (entry {position})"


def _component(
    component_id: str, entry: Mapping[str, object], files: FileRule, source: str
) -> Component:
    return Component(
        component_id=component_id,
        revision=_revision(entry),
        name=_text(entry, "name") or component_id,
        files=_files(entry.get("files"), files),
        client=_text(entry, "client"),
        category=_text(entry, "category"),
        tags=_tags(entry.get("tags")),
        updated_at=_updated_at(entry.get("updated_at")),
        attributes=_attributes(entry.get("attributes")),
        source=source,
    )


def _component_id(entry: Mapping[str, object]) -> str:
    value = entry.get("id")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None or (isinstance(value, str) and not value.strip()):
        raise _Unusable("id", value, "missing_id", "every component needs an id")
    if not isinstance(value, str):
        raise _Unusable("id", value, "bad_id", "an id is text or a whole number")
    return _storable("id", value, "bad_id")


def _storable(field: str, value: str, code: str = "bad_text") -> str:
    if len(value) > MAX_TEXT_LENGTH:
        why = f"{len(value)} characters are more than {MAX_TEXT_LENGTH}"
        raise _Unusable(field, value, code, why)
    if UNSTORABLE.search(value):
        raise _Unusable(field, value, code, _WHY_UNSTORABLE)
    return value


def _revision(entry: Mapping[str, object]) -> str:
    value = entry.get("revision")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None or value == "":
        return _digest_of(entry)
    if not isinstance(value, str):
        why = "a revision is text or a whole number; leave it out where there is none"
        raise _Unusable("revision", value, "bad_revision", why)
    return _storable("revision", value, "bad_revision")


def _digest_of(entry: Mapping[str, object]) -> str:
    try:
        canonical = json.dumps(entry, sort_keys=True, separators=(",", ":"))
    except RecursionError:
        raise _Unusable("", entry, "too_deep", "the entry is nested too deeply") from None
    return hashlib.sha256(canonical.encode()).hexdigest()


def _text(entry: Mapping[str, object], field: str) -> str:
    value = entry.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _Unusable(field, value, "bad_text", f"{field} is text")
    return _storable(field, value)


def _tags(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _Unusable("tags", value, "bad_tags", "tags is a list of texts")
    tags = cast("list[object]", value)
    if len(tags) > MAX_TAGS:
        raise _Unusable("tags", value, "bad_tags", f"{len(tags)} tags are more than {MAX_TAGS}")
    for tag in tags:
        if not isinstance(tag, str):
            raise _Unusable("tags", tag, "bad_tags", "every tag is a text")
        _storable("tags", tag, "bad_tags")
    return tuple(cast("list[str]", tags))


def _attributes(value: object) -> Mapping[str, Json]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _Unusable("attributes", value, "bad_attributes", "attributes is an object")
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        why = "it holds a number that is too large, or none"
        raise _Unusable("attributes", value, "bad_attributes", why) from None
    except RecursionError:
        why = "attributes are nested too deeply"
        raise _Unusable("attributes", "", "bad_attributes", why) from None
    if len(text) > MAX_ATTRIBUTES_LENGTH:
        why = f"{len(text):,} characters of JSON are more than {MAX_ATTRIBUTES_LENGTH:,}"
        raise _Unusable("attributes", value, "bad_attributes", why)
    if "\\u0000" in text or UNSTORABLE.search(text):
        raise _Unusable("attributes", value, "bad_attributes", _WHY_UNSTORABLE)
    return cast("dict[str, Json]", value)


def _updated_at(value: object) -> datetime | None:
    time = utc_time(value)
    if time is None and value is not None:
        why = "it is not an ISO 8601 time like 2026-01-31T12:00:00Z"
        raise _Unusable("updated_at", value, "bad_updated_at", why)
    return time


def too_deep(value: Any, limit: int = MAX_DEPTH) -> bool:
    """Return whether lists and objects lie in each other more than `limit` deep.

    It goes level by level, without recursion, and takes a few microseconds for an entry.
    """
    level = [value] if type(value) is dict or type(value) is list else []
    for _ in range(limit):
        if not level:
            return False
        level = [
            child
            for each in level
            for child in (each.values() if type(each) is dict else each)
            if type(child) is dict or type(child) is list
        ]
    return bool(level)


def utc_time(value: object) -> datetime | None:
    """Return an ISO 8601 time, in UTC where it names no zone; None for anything else."""
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
        return time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC) if time else None
    except (ValueError, OverflowError):
        return None


def _files(value: object, rule: FileRule) -> Mapping[FileKind, FileRef]:
    if not isinstance(value, dict):
        why = f"files is an object of {', '.join(FILE_KINDS)}"
        raise _Unusable("files", value, "missing_file", why)
    files = cast("dict[str, object]", value)
    return {kind: _file(kind, files.get(kind), rule) for kind in FILE_KINDS}


def _file(kind: FileKind, value: Any, rule: FileRule) -> FileRef:
    if isinstance(value, FileRef):  # a mapping made it from the item; JSON cannot hold one
        return value
    url: object = value.get("url") if isinstance(value, dict) else None
    if not isinstance(url, str) or not url:
        why = f"every component needs the four files {', '.join(FILE_KINDS)}, each with a url"
        raise _Unusable(f"files.{kind}", value, "missing_file", why)
    try:
        rule.check(url)
    except UrlRefused as refused:
        shown = redacted(url)
        raise _Unusable(f"files.{kind}.url", shown, refused.code, str(refused)) from None
    sha256: object = value.get("sha256")
    if sha256 is None:
        return FileRef(url)
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        why = "a sha256 is 64 hexadecimal digits; leave it out where it is not known"
        raise _Unusable(f"files.{kind}.sha256", sha256, "bad_sha256", why)
    return FileRef(url, sha256.lower())
