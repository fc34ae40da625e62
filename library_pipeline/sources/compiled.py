"""JMESPath's syntax trees as nested functions, which find what its interpreter does, but sooner.

That one looks each node's method up, for each item anew, and takes a new set of functions along
for each search. What mappings seldom have (projections, slices, `<`) is left to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, cast

from jmespath.functions import Functions
from jmespath.visitor import TreeInterpreter

Find = Callable[[object], object]
Node = Mapping[str, Any]

_INTERPRETER: Final[Any] = TreeInterpreter()
_FUNCTIONS: Final = Functions()
_EMPTY: Final = ("", [], {})


def compiled(tree: Node) -> Find:
    """Return what finds the value of a tree, `jmespath.compile(...).parsed`, in an item."""
    try:
        return _compiled(tree)
    except RecursionError:  # the interpreter will say the same, but of an item
        return _interpreted(tree)


def is_false(value: object) -> bool:
    """Return whether JMESPath counts a value as false: what is empty is, 0 is not."""
    return value is None or value is False or value in _EMPTY


def _compiled(node: Node) -> Find:
    return _OF_TYPE.get(node["type"], _interpreted)(node)


def _interpreted(node: Node) -> Find:
    return partial(_INTERPRETER.visit, node)


def _children(node: Node) -> list[Find]:
    return [_compiled(child) for child in node["children"]]


def _field(node: Node) -> Find:
    key = node["value"]

    def find(value: object) -> object:
        return cast("Mapping[str, object]", value).get(key) if isinstance(value, dict) else None

    return find


def _itself(node: Node) -> Find:
    return lambda value: value


def _literal(node: Node) -> Find:
    found = node["value"]
    return lambda value: found


def _chain(node: Node) -> Find:
    if all(child["type"] == "field" for child in node["children"]):
        return _path([child["value"] for child in node["children"]])
    steps = _children(node)

    def find(value: object) -> object:
        for step in steps:
            value = step(value)
        return value

    return find


def _path(keys: Sequence[str]) -> Find:
    """Return what finds what most mappings ask for, `a.b.c`, without a call for each key."""

    def find(value: object) -> object:
        for key in keys:
            if not isinstance(value, dict):
                return None
            value = cast("Mapping[str, object]", value).get(key)
        return value

    return find


def _or(node: Node) -> Find:
    first, second = _children(node)

    def find(value: object) -> object:
        found = first(value)
        return second(value) if is_false(found) else found

    return find


def _and(node: Node) -> Find:
    first, second = _children(node)

    def find(value: object) -> object:
        found = first(value)
        return found if is_false(found) else second(value)

    return find


def _not(node: Node) -> Find:
    (negated,) = _children(node)
    return lambda value: is_false(negated(value))


def _comparison(node: Node) -> Find:
    if node["value"] not in ("eq", "ne"):
        return _interpreted(node)
    compare = TreeInterpreter.COMPARATOR_FUNC[node["value"]]
    left, right = _children(node)
    return lambda value: compare(left(value), right(value))


def _list(node: Node) -> Find:
    parts = _children(node)
    return lambda value: None if value is None else [part(value) for part in parts]


def _object(node: Node) -> Find:
    parts = [(pair["value"], _compiled(pair["children"][0])) for pair in node["children"]]
    return lambda value: None if value is None else {key: part(value) for key, part in parts}


def _call(node: Node) -> Find:
    if any(child["type"] == "expref" for child in node["children"]):
        return _interpreted(node)
    name, arguments = node["value"], _children(node)
    return lambda value: _FUNCTIONS.call_function(name, [each(value) for each in arguments])


_OF_TYPE: Final[Mapping[str, Callable[[Node], Find]]] = {
    "field": _field,
    "identity": _itself,
    "current": _itself,
    "literal": _literal,
    "subexpression": _chain,
    "index_expression": _chain,
    "pipe": _chain,
    "or_expression": _or,
    "and_expression": _and,
    "not_expression": _not,
    "comparator": _comparison,
    "multi_select_list": _list,
    "multi_select_dict": _object,
    "function_expression": _call,
}
