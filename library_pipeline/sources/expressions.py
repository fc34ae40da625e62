"""JMESPath expressions and URL templates over a CMS's items, compiled once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, cast
from urllib.parse import quote

import jmespath
from jmespath.exceptions import JMESPathError

Getter = Callable[[object], object]

_PATH: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_BRACES: Final = re.compile(r"\{([^{}]*)\}")


class ExpressionFailed(Exception):
    """An expression does not fit the item that it was asked of."""


@lru_cache(maxsize=1024)
def getter(expression: str) -> Getter:
    """Return what finds an expression's value in an item, None where there is none.

    Raises ValueError for what is no JMESPath expression. The getter raises ExpressionFailed.
    """
    if _PATH.fullmatch(expression):
        return _path(expression.split("."))
    try:
        compiled = jmespath.compile(expression)
    except JMESPathError as error:
        raise ValueError(f"{expression!r} is no JMESPath expression: {error}") from None

    def search(item: object) -> object:
        try:
            return compiled.search(item)
        except (JMESPathError, RecursionError, ArithmeticError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ExpressionFailed(f"the expression {expression!r} fails: {reason}") from None

    return search


def template(text: str) -> Getter:
    """Return what fills a template such as `/assets/{image.id}.png`; None where a value lacks.

    Values are percent-encoded whole, so that none can add a segment, query or host.
    """
    pieces = _BRACES.split(text)
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


def is_true(value: object) -> bool:
    """Return whether JMESPath counts a value as true: 0 does, what is empty does not."""
    return not (value is None or value is False or value in ("", [], {}))


def _path(names: list[str]) -> Getter:
    # A plain path is what most expressions are; jmespath takes ten times longer for it.
    if len(names) == 1:
        (name,) = names

        def one(item: object) -> object:
            return cast("Mapping[str, Any]", item).get(name) if isinstance(item, dict) else None

        return one

    def several(item: object) -> object:
        for name in names:
            if not isinstance(item, dict):
                return None
            item = cast("Mapping[str, Any]", item).get(name)
        return item

    return several
