"""The search page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from library_pipeline.search.ranking import Match
from library_pipeline.web.browse import Card, cards, cards_of, newest
from library_pipeline.web.chips import Chip, chips
from library_pipeline.web.filters import groups
from library_pipeline.web.library import InLibrary, Library
from library_pipeline.web.links import question_url
from library_pipeline.web.problems import QuestionError, no_component
from library_pipeline.web.questions import MAX_PAGE, Asked, Upload
from library_pipeline.web.rendering import frame, page, preview
from library_pipeline.web.uploads import uploaded

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """A picture that was searched by: a small version as a data: URL, and its name."""

    preview: str
    name: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One page of results, `first` is the place of its first; `total` is how many there are.

    The total of a question with a least score or folded look-alikes is not known.
    """

    cards: list[Card]
    first: int
    total: int | None
    previous_url: str | None
    next_url: str | None

    @property
    def last(self) -> int:
        """The place of the last result on this page."""
        return self.first + len(self.cards) - 1


@router.get("/")
@router.get("/search")  # of a picture's answer, without the picture: the script has it
def search(request: Request, question: Annotated[Asked, Query()], library: InLibrary) -> Response:
    """Show what fits a text or resembles components; else the newest components."""
    examples = _examples(library, question)  # an id nobody has is told before a model is loaded
    matches = library.finder.find(question.query()) if question.asks else None
    return _answered(request, library, question, matches, examples)


@router.post("/search")
def search_by_picture(
    request: Request,
    sent: Annotated[tuple[Upload, Asked], Depends(uploaded)],
    library: InLibrary,
) -> Response:
    """Show the components most like the form's `picture`, beside it."""
    upload, question = sent
    picture, matches = library.search_picture(upload, question)
    examples = _examples(library, question)
    sent_picture = Sent(preview(picture), upload.name)
    return _answered(request, library, question, matches, examples, sent_picture)


def _answered(
    request: Request,
    library: Library,
    question: Asked,
    matches: Sequence[Match] | None,
    examples: dict[str, Card],
    sent: Sent | None = None,
) -> Response:
    with library.database.connect() as connection:
        around = frame(connection)
        if matches is None:
            filters = question.filters
            skip = (question.page - 1) * question.k
            found = newest(connection, filters, k=question.k, skip=skip)
        else:
            filters = replace(question.filters, excluding=(*question.like, *question.not_like))
            found = cards(connection, matches)
        facets = library.facets.count(connection, filters)
    return page(
        request,
        "search.html",
        frame=around,
        question=question,
        asked=matches is not None,
        sent=sent,
        alike=[examples[each] for each in dict.fromkeys(question.like)],
        answer=_answer(question, found, facets.components, ranked=matches is not None),
        groups=groups(facets, question),
        chips=_chips(question, examples, sent),
    )


def _examples(library: Library, question: Asked) -> dict[str, Card]:
    """Return the question's components by id; raises QuestionError where one is not there."""
    ids = (*question.like, *question.not_like)
    if not ids:
        return {}
    with library.database.connect() as connection:
        found = cards_of(connection, ids)
    for each in ids:
        if each not in found:
            raise QuestionError(no_component(each))
    return found


def _answer(question: Asked, found: list[Card], fitting: int, *, ranked: bool) -> Answer:
    first = (question.page - 1) * question.k + 1
    cut = ranked and (question.least_score is not None or question.collapse is not None)
    goes_on = len(found) == question.k if cut else first - 1 + len(found) < fitting
    back = question_url(question, page=question.page - 1) if question.page > 1 else None
    on = question_url(question, page=question.page + 1)
    return Answer(
        cards=found,
        first=first,
        total=None if cut else fitting,
        previous_url=back,
        next_url=on if found and goes_on and question.page < MAX_PAGE else None,
    )


def _chips(question: Asked, examples: dict[str, Card], sent: Sent | None) -> list[Chip]:
    names = {each: card.title for each, card in examples.items()}
    return chips(question, names, sent.name if sent else None)
