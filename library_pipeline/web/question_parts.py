"""The parts of a question on the page: chips to remove, and filters with counts."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from library_pipeline.search.facets import Facets, Field, leaves
from library_pipeline.search.query import UNLIKE, attribute_word, parse_attributes
from library_pipeline.web.links import question_url
from library_pipeline.web.questions import SearchTerms

Kind = Literal["picture", "part", "text", "like", "unlike", "filter"]
_FILTERS: Final = ("client", "category", "tag", "source", "attribute")


@dataclass(frozen=True, slots=True)
class Chip:
    """One part of a question; `url` is the address of the question without it."""

    kind: Kind
    label: str
    text: str
    url: str
    weight: str = ""


def chips(
    question: SearchTerms, names: Mapping[str, str], picture: str | None = None
) -> list[Chip]:
    """Return the parts of `question`; `names` are its components' names by id.

    `picture` is the file name of the uploaded picture. Several examples show their weights.
    """
    examples = list(_example_chips(question, names, picture))
    several = len(examples) > 1
    shown = [
        Chip(kind, label, text, url, _weight_text(weight) if several or weight != 1 else "")
        for kind, label, text, url, weight in examples
    ]
    if picture is not None and question.crop:
        shown.insert(1, Chip("part", "Part", "of the picture", question_url(question, crop=None)))
    return shown + list(_filter_chips(question))


def _example_chips(
    question: SearchTerms, names: Mapping[str, str], picture: str | None
) -> Iterator[tuple[Kind, str, str, str, float]]:
    if picture is not None:
        yield "picture", "Picture", picture, question_url(question, crop=None), 1
    if question.text is not None:
        without = question_url(question, text=None, text_weight=None)
        yield "text", "Text", question.text, without, question.text_weight
    for each in question.like:
        rest = tuple(other for other in question.like if other != each)
        yield "like", "Like", names.get(each, each), question_url(question, like=rest), 1
    if question.not_text is not None:
        without = question_url(question, not_text=None)
        yield "unlike", "Not", question.not_text, without, UNLIKE
    for each in question.not_like:
        rest = tuple(other for other in question.not_like if other != each)
        yield "unlike", "Not", names.get(each, each), question_url(question, not_like=rest), UNLIKE


def _filter_chips(question: SearchTerms) -> Iterator[Chip]:
    for name in _FILTERS:
        values: tuple[str, ...] = getattr(question, name)
        for each in values:
            rest = tuple(other for other in values if other != each)
            url = question_url(question, **{name: rest})
            yield Chip("filter", name.capitalize(), each, url)
    if question.least_score is not None:
        url = question_url(question, least_score=None)
        yield Chip("filter", "Score", f"at least {question.least_score:g}", url)
    if question.collapse is not None:
        yield Chip("filter", "Look-alikes", "folded", question_url(question, collapse=None))
    if question.weight:
        url = question_url(question, weight=())
        yield Chip("filter", "Encoders", ", ".join(question.weight), url)


def _weight_text(weight: float) -> str:
    return f"× {abs(weight):g}"


_LABELS: Final[dict[Field, str]] = {
    "client": "Client",
    "category": "Category",
    "tag": "Tag",
    "source": "Source",
}
_SHOWN: Final = 8
_MAX_CHOICES: Final = 200


@dataclass(frozen=True, slots=True)
class FilterChoice:
    """A filter to choose: the parameter's value, its text, and how many components it leaves."""

    value: str
    text: str
    components: int
    chosen: bool = False

    @property
    def key(self) -> str:
        """A name that is the same on every page, so that the browser keeps the focus."""
        return f"{zlib.crc32(self.value.encode()):08x}"


@dataclass(frozen=True, slots=True)
class FilterGroup:
    """The choices of a parameter or attribute; `more` are the ones that the page folds away."""

    parameter: Field
    label: str
    shown: tuple[FilterChoice, ...]
    more: tuple[FilterChoice, ...]


def filter_groups(facets: Facets, question: SearchTerms) -> list[FilterGroup]:
    """Return the filters to choose and the chosen ones; a single choice is left out."""
    chosen = {
        "client": question.client,
        "category": question.category,
        "tag": question.tag,
        "source": question.source,
    }
    found: list[FilterGroup] = []
    for field, label in _LABELS.items():
        values = [
            (str(each.value), each.components) for each in facets.values if each.field == field
        ]
        choices = _choices([(value, value, count) for value, count in values], chosen[field])
        if field == "tag" or len(choices) > 1 or chosen[field]:
            found += _filter_group(field, label, choices)
    return found + list(_attributes(facets, question))


def _attributes(facets: Facets, question: SearchTerms) -> Iterator[FilterGroup]:
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
        yield from _filter_group("attribute", " ".join(path), _choices(values, of_path))
    yield from _filter_group("attribute", "Attributes", _choices([], wanted))


def _choices(values: Iterable[tuple[str, str, int]], chosen: Iterable[str]) -> list[FilterChoice]:
    """Return the values as choices, the chosen ones first."""
    rest = dict.fromkeys(chosen, 0)
    listed = [FilterChoice(value, text, count, value in rest) for value, text, count in values]
    known = {choice.value for choice in listed}
    none = [FilterChoice(value, value, 0, True) for value in rest if value not in known]
    return none + sorted(listed, key=lambda choice: not choice.chosen)


def _filter_group(field: Field, label: str, choices: list[FilterChoice]) -> Iterator[FilterGroup]:
    cut = max(_SHOWN, sum(choice.chosen for choice in choices))
    if len(choices) == cut + 1:
        cut += 1  # "1 more" takes as much room as the choice
    if choices:
        yield FilterGroup(field, label, tuple(choices[:cut]), tuple(choices[cut:_MAX_CHOICES]))


def _canonical(word: str) -> str:
    """Return the filter `word` as the choices write it."""
    [(path, value)] = leaves(parse_attributes([word]))
    return attribute_word(path, value) if isinstance(value, str | bool | int | float) else word
