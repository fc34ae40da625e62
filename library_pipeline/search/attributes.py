"""Filters on attributes, as they are typed: `theme=dark`, `layout.columns=3`, `price=null`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

from library_pipeline.search.weights import SearchError

MOST_DEPTH = 8


def parse_attributes(words: Iterable[str]) -> dict[str, Any]:
    """Return what a component's attributes must contain, from `name=value` and `name.part=value`.

    A value that is JSON counts as what it is: 3 is a number, "3" in quotes a text, dark a text.
    Raises SearchError.
    """
    wanted: dict[str, Any] = {}
    for word in words:
        path, equals, value = word.partition("=")
        names = [name.strip() for name in path.split(".")]
        if not equals or not all(names) or len(names) > MOST_DEPTH:
            raise SearchError(
                f"the attribute {word[:80]!r} is not NAME=VALUE, such as theme=dark or "
                "layout.columns=3"
            )
        _put(wanted, names, _value(value.strip()), word)
    _require_storable(wanted)
    return wanted


def _put(wanted: dict[str, Any], names: list[str], value: Any, word: str) -> None:
    for name in names[:-1]:
        wanted = wanted.setdefault(name, {})
        if not isinstance(wanted, dict):
            raise SearchError(f"the attribute {word[:80]!r} is a value and has parts as well")
    if names[-1] in wanted:
        raise SearchError(f"the attribute {word[:80]!r} is given twice")
    wanted[names[-1]] = value


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=str, parse_float=_number)
    except (ValueError, RecursionError):
        return text


def _number(text: str) -> float | str:
    """Return a number; NaN, Infinity and 1e999 are none, and PostgreSQL would refuse them."""
    number = float(text)
    return number if math.isfinite(number) else text


def _require_storable(wanted: dict[str, Any]) -> None:
    """Raise SearchError for texts, however deep, that PostgreSQL cannot hold."""
    try:
        text = json.dumps(wanted, ensure_ascii=False)
        text.encode()
        whole = "\\u0000" not in text
    except (UnicodeEncodeError, RecursionError):
        whole = False
    if not whole:
        raise SearchError(
            "an attribute holds U+0000, half a character or too deep a value, as none ever does"
        )


def attribute_word(path: Sequence[str], value: str | float | bool) -> str:
    """Return the filter that asks for `value` under the names `path`: `parse_attributes` undone."""
    text = value if isinstance(value, str) else json.dumps(value)
    if isinstance(value, str) and _value(value.strip()) != value:
        text = json.dumps(value, ensure_ascii=False)
    return f"{'.'.join(path)}={text}"
