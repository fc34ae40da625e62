"""The shape of foreign JSON, as JMESPath expressions that whoever writes a mapping can copy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, cast

from library_pipeline.sources.wording import shorten

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DEPTH: Final = 3
_MOST: Final = 60


def outline(item: object) -> dict[str, str]:
    """Return the expressions that find something in `item`, each with what it finds, shortened."""
    found: dict[str, str] = {}
    for path, value in _walk(item, "", _DEPTH):
        if len(found) >= _MOST:
            break
        found[path] = f"a list of {len(value)} objects" if _of_objects(value) else shorten(value)
    return found


def lists_in(page: object) -> dict[str, int]:
    """Return the expressions that find a list of objects in `page`, each with its length.

    `@` is the page itself.
    """
    if isinstance(page, list):
        return {"@": len(cast("list[object]", page))}
    return {
        path: len(cast("list[object]", value))
        for path, value in _walk(page, "", _DEPTH)
        if _of_objects(value)
    }


def _of_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _walk(value: object, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield every value that is no object, or lies too deep to be looked into, by its path."""
    if not isinstance(value, dict) or not value or depth == 0:
        if path:
            yield path, value
        return
    for key, inner in cast("dict[str, object]", value).items():
        name = key if _PLAIN.fullmatch(key) else json.dumps(key)
        yield from _walk(inner, f"{path}.{name}" if path else name, depth - 1)
