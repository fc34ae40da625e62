"""A question in parts that can be taken back one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from library_pipeline.search.query import UNLIKE
from library_pipeline.web.links import question_url
from library_pipeline.web.questions import Asked

Kind = Literal["picture", "part", "text", "like", "unlike", "filter"]
_FILTERS: Final = ("client", "category", "tag", "source", "attribute")


@dataclass(frozen=True, slots=True)
class Chip:
    """One part of a question: what it is, what it counts, and the question without it."""

    kind: Kind
    label: str
    text: str
    url: str
    weight: str = ""


def chips(question: Asked, names: Mapping[str, str], picture: str | None = None) -> list[Chip]:
    """Return the parts of `question`; `names` are those of its components by id.

    What an example counts is said where there are several.
    """
    examples = list(_examples(question, names, picture))
    several = len(examples) > 1
    shown = [
        Chip(kind, label, text, url, _weight(weight) if several or weight != 1 else "")
        for kind, label, text, url, weight in examples
    ]
    if picture is not None and question.crop:
        shown.insert(1, Chip("part", "Part", "of the picture", question_url(question, crop=None)))
    return shown + list(_filters(question))


def _examples(
    question: Asked, names: Mapping[str, str], picture: str | None
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


def _filters(question: Asked) -> Iterator[Chip]:
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


def _weight(weight: float) -> str:
    return f"× {abs(weight):g}"
