"""Compiled expressions find what JMESPath's own interpreter does, errors included."""

from __future__ import annotations

from typing import Any

import jmespath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError

from library_pipeline.settings.sources import FileSettings
from library_pipeline.sources.compiled import compiled
from library_pipeline_tests.support.presets import PRESETS, configured, items_of

KEYS = ("a", "b", "c")
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.sampled_from(("", "x", "yy", 0.0, 1.5))
    | st.builds(list)
    | st.builds(dict),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.sampled_from(KEYS), each),
    max_leaves=12,
)
SIMPLE = st.sampled_from(
    (*KEYS, "@", '"a"', "a.b", "b.a.c", "a[0]", "`[]`", "`0`", "`null`", "`false`", "'x'", "a[]")
)


def _larger(each: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = (
        "({0}) || ({1})", "({0}) && ({1})", "({0}) | ({1})", "({0}) == ({1})", "({0}) != ({1})",
        "({0}) < ({1})", "[{0}, {1}]", "{{a: {0}, b: {1}}}", "({0}).[{1}, b]", "merge({0}, {1})",
        "({0})[?{1}]", "({0})[*].a", "({0}).*", "({0})[-1]", "({0})[:1]", "contains({0}, {1})",
        "!({0})", "sort({0})", "keys({0})", "sort_by({0}, &a)", "map(&{1}, {0})", "nosuch({0})",
        "length({0}, {1})", "not_null({0}, {1})", "join(', ', {0})",
    )  # fmt: skip
    return st.builds(
        lambda form, one, two: form.format(one, two), st.sampled_from(pairs), each, each
    )


@given(expression=st.recursive(SIMPLE, _larger, max_leaves=6), item=VALUES)
@settings(max_examples=500, deadline=None)
def test_same_as_interpreter(expression: str, item: Any) -> None:
    """Whatever an expression is made of, and whatever it is asked of."""
    _same(expression, item)


@pytest.mark.parametrize("preset", PRESETS)
def test_presets(preset: str) -> None:
    """What every user of a preset relies on, over what the CMS really answered."""
    mapping = configured(preset).mapping
    item = items_of(preset)[0]
    revision = (mapping.revision,) if isinstance(mapping.revision, str) else mapping.revision or ()
    single = (mapping.where, mapping.id, mapping.name, mapping.client, mapping.category)
    more = (mapping.tags, mapping.updated_at, *mapping.attributes.values(), *revision)
    files: list[FileSettings | None] = [file for _, file in mapping.files]
    located = (each for file in files if file for each in (file.url, file.inline))
    for expression in filter(None, (*single, *more, *located)):
        _same(expression, item)


def test_zero_is_true() -> None:
    """In Python 0 is false; `0 || 1` would be another component's id."""
    for expression in ("a || b", "a && b", "!a", "a == `false`", "a == b"):
        for zero in (0, 0.0):
            _same(expression, {"a": zero, "b": 1})


def test_too_deep_for_the_stack() -> None:
    """An expression is compiled before any item is there to report a problem of."""
    tree: dict[str, Any] = {"type": "current", "children": []}
    for _ in range(5000):
        tree = {"type": "not_expression", "children": [tree]}
    find = compiled(tree)
    with pytest.raises(RecursionError):
        find({})


def _same(expression: str, item: Any) -> None:
    parsed = jmespath.compile(expression)
    find = compiled(parsed.parsed)
    assert _outcome(find, item) == _outcome(parsed.search, item)


def _outcome(find: Any, item: Any) -> tuple[str, str]:
    """Return what is found, so that 0, 0.0 and False differ, or what is said instead."""
    try:
        return "found", repr(find(item))
    except (JMESPathError, ArithmeticError, TypeError, ValueError, AttributeError) as error:
        return type(error).__name__, str(error)
