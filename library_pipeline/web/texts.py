"""A component's files as text for a page, and what they say, by name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from library_pipeline.bundles.store import BundleError, BundleStore

MAX_FILE_BYTES: Final = 64 * 1024
MAX_FACTS: Final = 200


@dataclass(frozen=True, slots=True)
class FileText:
    """One text file of a bundle, cut at a length a page can bear; `size` in bytes of the whole."""

    kind: str
    text: str
    size: int
    cut: bool
    missing: bool = False


def file_text(bundles: BundleStore, kind: str, digest: str) -> FileText:
    """Return a file as text, JSON set out in lines; one that is lost is said to be missing."""
    try:
        data = bundles.get(digest)
    except BundleError:
        return FileText(kind, "", 0, cut=False, missing=True)
    text = data[:MAX_FILE_BYTES].decode("utf-8", errors="replace")
    cut = len(data) > MAX_FILE_BYTES
    return FileText(kind, text if cut else _set_out(text), len(data), cut)


def json_of(bundles: BundleStore, digest: str) -> Any:
    """Return what a JSON file says, None where it is lost, too large to look into or no JSON."""
    try:
        data = bundles.get(digest)
        return json.loads(data) if len(data) <= MAX_FILE_BYTES else None
    except (BundleError, ValueError, RecursionError):
        return None


def by_name(value: Any, names: tuple[str, ...] = ()) -> dict[str, str]:
    """Return what nested JSON says, each value as text under the names that lead to it."""
    if isinstance(value, Mapping) and value:
        inner = ((str(name), each) for name, each in value.items())
    elif isinstance(value, Sequence) and not isinstance(value, str) and value:
        inner = ((str(place), each) for place, each in enumerate(value, 1))
    else:
        return {" › ".join(names): in_words(value)} if names else {}
    found: dict[str, str] = {}
    for name, each in inner:
        if len(found) >= MAX_FACTS:
            break
        found |= by_name(each, (*names, name))
    return found


def in_words(value: Any) -> str:
    """Return a JSON value as a page shows it: a text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _set_out(text: str) -> str:
    if text.lstrip()[:1] not in ("{", "["):
        return text
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return text
