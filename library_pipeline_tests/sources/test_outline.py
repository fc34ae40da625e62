"""The shape of foreign JSON, and foreign text on a terminal."""

from __future__ import annotations

import jmespath
import pytest

from library_pipeline.sources.sample import lists_in, outline
from library_pipeline.sources.text import printable

ITEM = {"id": 1, "meta": {"deep": {"er": {"est": 1}}}, "my-key": [1], 'a"b': {}, "": 0}


def test_every_expression_finds_what_it_says() -> None:
    found = outline(ITEM)
    assert list(found) == ["id", "meta.deep.er", '"my-key"', '"a\\"b"', '""']
    for expression in found:
        assert jmespath.search(expression, ITEM) is not None


def test_an_outline_of_very_much_is_short() -> None:
    assert len(outline({str(n): n for n in range(1000)})) == 60
    assert outline([1]) == outline(None) == {}


def test_lists_of_objects_are_found() -> None:
    page = {"tags": ["a"], "data": {"my items": [{"id": 1}], "none": []}}
    assert lists_in(page) == {'data."my items"': 1}
    assert lists_in([{}, {}]) == {"@": 2}
    assert lists_in("text") == {}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Füße 🎩", "Füße 🎩"),
        ("a\u00a0b", "a b"),
        ("\x1b[2J\n\x9b\u202e\u200b", r"\x1b[2J\n\x9b\u202e\u200b"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_steers_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
