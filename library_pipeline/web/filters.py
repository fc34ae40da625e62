"""The filters of a question as a page and the API show them: what may be chosen, with counts."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from library_pipeline.search.attributes import attribute_word, parse_attributes
from library_pipeline.search.facets import Facets, Field, leaves
from library_pipeline.web.questions import Asked

_LABELS: Final[dict[Field, str]] = {
    "client": "Client",
    "category": "Category",
    "tag": "Tag",
    "source": "Source",
}
_SHOWN: Final = 8
_MOST: Final = 200


@dataclass(frozen=True, slots=True)
class Choice:
    """A value to filter by: the parameter's value, its text, and how many it would leave."""

    value: str
    text: str
    components: int
    chosen: bool = False

    @property
    def key(self) -> str:
        """A name that is the same on every page, so that the focus stays where it was."""
        return f"{zlib.crc32(self.value.encode()):08x}"


@dataclass(frozen=True, slots=True)
class Group:
    """The choices of one parameter, or of one attribute; `more` are those behind the first ones."""

    parameter: Field
    label: str
    shown: tuple[Choice, ...]
    more: tuple[Choice, ...]


def groups(facets: Facets, question: Asked) -> list[Group]:
    """Return what `question` may be filtered by, and what it is; nothing that would not help."""
    chosen = {
        "client": question.client,
        "category": question.category,
        "tag": question.tag,
        "source": question.source,
    }
    found: list[Group] = []
    for field, label in _LABELS.items():
        values = [
            (str(each.value), each.components) for each in facets.values if each.field == field
        ]
        choices = _choices([(value, value, count) for value, count in values], chosen[field])
        if field == "tag" or len(choices) > 1 or chosen[field]:
            found += _group(field, label, choices)
    return found + list(_attributes(facets, question))


def _attributes(facets: Facets, question: Asked) -> Iterator[Group]:
    wanted = [_canonical(word) for word in question.attribute]
    by_path: dict[tuple[str, ...], list[tuple[str, str, int]]] = {}
    for each in facets.values:
        if each.field == "attribute":
            text = {True: "yes", False: "no"}[each.value] if isinstance(each.value, bool) else ""
            word = attribute_word(each.path, each.value)
            entry = (word, text or str(each.value), each.components)
            by_path.setdefault(each.path, []).append(entry)
    for path, values in by_path.items():
        of_path = [word for word in wanted if word in {value for value, _, _ in values}]
        wanted = [word for word in wanted if word not in of_path]
        yield from _group("attribute", " ".join(path), _choices(values, of_path))
    yield from _group("attribute", "Attributes", _choices([], wanted))


def _choices(values: Iterable[tuple[str, str, int]], chosen: Iterable[str]) -> list[Choice]:
    """Return the values as choices, those that are chosen first."""
    rest = dict.fromkeys(chosen, 0)
    listed = [Choice(value, text, count, value in rest) for value, text, count in values]
    known = {choice.value for choice in listed}
    none = [Choice(value, value, 0, True) for value in rest if value not in known]
    return none + sorted(listed, key=lambda choice: not choice.chosen)


def _group(field: Field, label: str, choices: list[Choice]) -> Iterator[Group]:
    cut = max(_SHOWN, sum(choice.chosen for choice in choices))
    if len(choices) == cut + 1:
        cut += 1  # "1 more" would take the room of the one
    if choices:
        yield Group(field, label, tuple(choices[:cut]), tuple(choices[cut:_MOST]))


def _canonical(word: str) -> str:
    """Return the filter as a choice has it, whichever way it was typed."""
    [(path, value)] = leaves(parse_attributes([word]))
    return attribute_word(path, value) if isinstance(value, str | bool | int | float) else word
