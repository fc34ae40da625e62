"""JMESPath expressions and URL templates over a CMS's items, compiled once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, Final
from urllib.parse import quote

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.visitor import TreeInterpreter

from library_pipeline.settings.fields import BRACES

Getter = Callable[[object], object]

# jmespath checks the first argument only of functions like `merge`; Python says the rest.
_FAILURES: Final = (JMESPathError, RecursionError, ArithmeticError, TypeError, ValueError)
# `search` makes a new one for each item, which takes longer than most expressions.
_INTERPRETER: Final[Any] = TreeInterpreter()
_EMPTY: Final = ("", [], {})


class ExpressionFailed(Exception):
    """An expression does not fit the item."""


def is_false(value: object) -> bool:
    """Return whether JMESPath counts a value as false: an empty one is, 0 is not."""
    return value is None or value is False or value in _EMPTY


@lru_cache(maxsize=1024)
def getter(expression: str) -> Getter:
    """Return a function that finds an expression's value in an item, or None.

    Raises ValueError if it is no JMESPath expression. The function raises ExpressionFailed.
    """
    try:
        tree = jmespath.compile(expression).parsed
    except JMESPathError as error:
        raise ValueError(f"{expression!r} is no JMESPath expression: {error}") from None
    # Most expressions are of these two kinds; the interpreter takes up to ten times as long.
    if (keys := _plain_path(tree)) is not None:
        return partial(_follow, keys)
    if tree["type"] == "or_expression":
        first, second = map(_plain_path, tree["children"])
        if first is not None and second is not None:
            return partial(_follow_either, first, second)
    find = partial(_INTERPRETER.visit, tree)

    def search(item: object) -> object:
        try:
            return find(item)
        except _FAILURES as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ExpressionFailed(f"the expression {expression!r} fails: {reason}") from None

    return search


def _plain_path(tree: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the keys of an expression like `a.b.c`, none for `@`; None for another expression."""
    children = tree["children"]
    match tree["type"]:
        case "current":
            return ()
        case "field":
            return (tree["value"],)
        case "subexpression" if all(each["type"] == "field" for each in children):
            return tuple(each["value"] for each in children)
        case _:
            return None


def _follow(keys: Sequence[str], item: Any) -> object:
    for key in keys:
        if not isinstance(item, dict):
            return None
        item = item.get(key)
    return item


def _follow_either(first: Sequence[str], second: Sequence[str], item: object) -> object:
    found = _follow(first, item)
    return _follow(second, item) if is_false(found) else found


def template(text: str) -> Getter:
    """Return a function that fills in a template such as `/assets/{image.id}.png`.

    It gives None if a value is missing. Values are percent-encoded whole, so that none can add a
    path segment, query or host.
    """
    pieces = BRACES.split(text)
    literals, getters = pieces[::2], [getter(piece) for piece in pieces[1::2]]

    def fill(item: object) -> str | None:
        filled = literals[0]
        for find, literal in zip(getters, literals[1:], strict=True):
            value = find(item)
            if not isinstance(value, str | int | float) or value == "":
                return None
            filled += quote(str(value), safe="") + literal
        return filled

    return fill
