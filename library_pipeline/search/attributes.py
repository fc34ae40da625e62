"""Filters on attributes, as they are typed: `theme=dark`, `layout.columns=3`, `price=null`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any, cast

from library_pipeline.search.weights import SearchError
from library_pipeline.sources.entry import UNSTORABLE

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
        value = json.loads(text, parse_constant=str, parse_float=_number)
    except (ValueError, RecursionError):
        return text
    if any(UNSTORABLE.search(each) for each in _texts(value)):
        raise SearchError(
            f"the value {text[:80]!r} holds U+0000 or half a surrogate pair, as no attribute does"
        )
    return value


def _number(text: str) -> float | str:
    """Return a number; NaN, Infinity and 1e999 are none, and PostgreSQL would refuse them."""
    number = float(text)
    return number if math.isfinite(number) else text


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a value of JSON, names too."""
    match value:
        case str():
            yield value
        case list():
            for each in cast("list[Any]", value):
                yield from _texts(each)
        case dict():
            for name, each in cast("dict[str, Any]", value).items():
                yield name
                yield from _texts(each)
        case _:
            pass
