"""Expressions over items: what they find, and what is said of one that does not fit."""

from __future__ import annotations

import re
from typing import Any

import pytest

from library_pipeline.sources.expressions import ExpressionFailed, getter, is_false

FALSE = [None, False, "", [], {}]
TRUE = [0, 0.0, True, "x", [0], {"a": None}]


@pytest.mark.parametrize("value", FALSE)
def test_what_is_empty_is_false(value: Any) -> None:
    assert is_false(value)
    assert getter("a || 'else'")({"a": value}) == "else"
    assert getter("!a")({"a": value}) is True


@pytest.mark.parametrize("value", TRUE)
def test_zero_is_true(value: Any) -> None:
    """In Python 0 is false; `0 || 1` would be another component's id."""
    assert not is_false(value)
    assert getter("a || 'else'")({"a": value}) == value
    assert getter("!a")({"a": value}) is False


@pytest.mark.parametrize("expression", ["sort(a)", "merge(a, a)", "nosuch(a)", "join(a, a)"])
def test_an_expression_that_does_not_fit_says_which_and_why(expression: str) -> None:
    with pytest.raises(ExpressionFailed, match=re.escape(f"the expression {expression!r} fails")):
        getter(expression)({"a": 1})


def test_an_expression_is_compiled_once() -> None:
    assert getter("a.b") is getter("a.b")


def test_a_text_that_is_no_expression_is_named() -> None:
    with pytest.raises(ValueError, match="is no JMESPath expression"):
        getter("a[")
