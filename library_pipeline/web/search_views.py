"""Search and facets, as a page and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Final, get_args

import psycopg
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, TypeAdapter

from library_pipeline.catalog.component import IndexedComponent
from library_pipeline.search.browsing import find_components, newest_components
from library_pipeline.search.facets import Field
from library_pipeline.search.query import UnanswerableError, attribute_word
from library_pipeline.search.ranking import Match
from library_pipeline.web.library import InLibrary, Library
from library_pipeline.web.links import component_url, question_url, screenshot_url, thumbnail_url
from library_pipeline.web.problems import QuestionError, no_component
from library_pipeline.web.question_parts import Chip, chips, filter_groups
from library_pipeline.web.questions import MAX_PAGE, SearchTerms, Upload, require_example
from library_pipeline.web.rendering import frame, page, preview
from library_pipeline.web.uploads import FORM, uploaded

api = APIRouter(prefix="/api", tags=["search"])


class ComponentModel(BaseModel):
    """The facts that the API returns of each component; `url` is the address of its page."""

    model_config = ConfigDict(frozen=True)

    component_id: str
    name: str
    client: str
    category: str
    tags: tuple[str, ...]
    source: str
    attributes: dict[str, Any]
    revision: str
    updated_at: datetime | None
    url: str


_FACTS: Final = tuple(name for name in ComponentModel.model_fields if name != "url")


def component_facts(component: IndexedComponent) -> dict[str, Any]:
    """Return the fields of a ComponentModel."""
    facts = {name: getattr(component, name) for name in _FACTS}
    return facts | {"url": component_url(component.component_id)}


class FoundComponent(ComponentModel):
    """One search result; `scores` are cosine similarities by encoder, `score` their mean.

    The mean is weighted; 1 is best. `folded` are ids of results that look nearly the same; they
    are set only with `collapse`.
    """

    rank: int
    score: float
    scores: dict[str, float]
    folded: tuple[str, ...]
    screenshot_sha256: str
    screenshot_url: str
    thumbnail_url: str


class FacetValue(BaseModel):
    """A value to filter by, as the parameter takes it, and how many components it would leave."""

    model_config = ConfigDict(frozen=True)

    value: str
    components: int


class FoundFacets(BaseModel):
    """How many components the filters leave, and the values to go on with, commonest first.

    Clients, categories and sources are counted as if none of their kind were chosen, since several
    of them add up. Attributes that hardly ever occur twice are left out.
    """

    model_config = ConfigDict(frozen=True)

    components: int
    client: list[FacetValue]
    category: list[FacetValue]
    source: list[FacetValue]
    tag: list[FacetValue]
    attribute: list[FacetValue]


_FOUND: Final = TypeAdapter(list[FoundComponent])


class Refusal(BaseModel):
    """Why there is no answer."""

    error: str


_WHY = {
    400: "The question cannot be asked: `error` names the parameter",
    403: "The request comes from another site's page",
    404: "There is no searchable component of that id",
    406: "Events come as text/event-stream, or by a WebSocket",
    408: "The picture came in too slowly",
    409: "The library cannot answer this yet",
    413: "The picture is too large",
    503: "The database, the bundle store or a model is not available",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of error answers with these statuses."""
    return {status: {"model": Refusal, "description": _WHY[status]} for status in statuses}


@api.get("/search", response_model=list[FoundComponent], responses=refusals(400, 404, 409, 503))
def search(question: Annotated[SearchTerms, Query()], library: InLibrary) -> Response:
    """Search by text or component.

    Returns the components that fit a `text` or resemble the component `like`; best first.
    """
    query = require_example(question).query()
    try:
        return answer_matches(library.finder.find(query))
    except UnanswerableError:
        _examples(library, question)  # names an id that does not exist
        raise


@api.post(
    "/search",
    response_model=list[FoundComponent],
    responses=refusals(400, 404, 408, 409, 413, 503),
    openapi_extra=FORM,
)
def search_by_picture(
    sent: Annotated[tuple[Upload, SearchTerms], Depends(uploaded)], library: InLibrary
) -> Response:
    """Search by picture.

    Returns the components most like the form's `picture`; best first. Parameters may be fields of
    the form or in the query.
    """
    try:
        _, matches = library.search_picture(*sent)
    except UnanswerableError:
        _examples(library, sent[1])
        raise
    return answer_matches(matches)


@api.get("/facets", responses=refusals(400, 503))
def facets(question: Annotated[SearchTerms, Query()], library: InLibrary) -> FoundFacets:
    """Count what there is to filter by.

    Under the filters that are given.
    """
    with library.database.connect() as connection:
        found = library.facets.count(connection, question.filters)
    values: dict[Field, list[FacetValue]] = {field: [] for field in get_args(Field)}
    for each in found.values:
        word = attribute_word(each.path, each.value) if each.path else str(each.value)
        values[each.field].append(FacetValue(value=word, components=each.components))
    return FoundFacets(components=found.components, **values)


def answer_matches(matches: Sequence[Match]) -> Response:
    """Return search results as the API tells them.

    Written here at once: FastAPI would check them again, in another thread, for as long as they
    take to be found.
    """
    found = [
        FoundComponent.model_construct(
            **component_facts(match),
            rank=match.rank,
            score=round(match.score, 6),
            scores={name: round(score, 6) for name, score in match.scores.items()},
            folded=match.folded,
            screenshot_sha256=match.screenshot_sha256,
            screenshot_url=screenshot_url(match.screenshot_sha256),
            thumbnail_url=thumbnail_url(match.screenshot_sha256),
        )
        for match in matches
    ]
    return Response(_FOUND.dump_json(found), media_type="application/json")


pages = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class SentPicture:
    """The picture of a question: a small version as a data: URL, and its name."""

    preview: str
    name: str


@dataclass(frozen=True, slots=True)
class ResultPage:
    """One page of results. `first` is the position of its first result, from 1 on.

    `total` is the number of all results; with a least score or folded look-alikes it is unknown.
    """

    cards: Sequence[IndexedComponent]
    first: int
    total: int | None
    previous_url: str | None
    next_url: str | None

    @property
    def last(self) -> int:
        """The position of the last result on this page."""
        return self.first + len(self.cards) - 1


@pages.get("/")
@pages.get("/search")  # of a picture's answer, without the picture: the script has it
def show_search(
    request: Request, question: Annotated[SearchTerms, Query()], library: InLibrary
) -> Response:
    """Show what fits a text or resembles components; else the newest components."""
    examples = _examples(library, question)  # an unknown id is an error before a model loads
    matches = library.finder.find(question.query()) if question.asks else None
    return _render(request, library, question, matches, examples)


@pages.post("/search")
def show_search_by_picture(
    request: Request,
    sent: Annotated[tuple[Upload, SearchTerms], Depends(uploaded)],
    library: InLibrary,
) -> Response:
    """Show the components most like the form's `picture`, beside it."""
    upload, question = sent
    picture, matches = library.search_picture(upload, question)
    examples = _examples(library, question)
    sent_picture = SentPicture(preview(picture), upload.name)
    return _render(request, library, question, matches, examples, sent_picture)


def _render(
    request: Request,
    library: Library,
    question: SearchTerms,
    matches: Sequence[Match] | None,
    examples: dict[str, IndexedComponent],
    sent: SentPicture | None = None,
) -> Response:
    with library.database.connect() as connection:
        around = frame(connection)
        if matches is None:
            filters = question.filters
            skip = (question.page - 1) * question.k
            found = newest_components(connection, filters, k=question.k, skip=skip)
        else:
            filters = replace(question.filters, excluding=(*question.like, *question.not_like))
            found = matches
        folded = _folded(connection, matches or ())
        facets = library.facets.count(connection, filters)
    return page(
        request,
        "search.html",
        frame=around,
        question=question,
        asked=matches is not None,
        sent=sent,
        alike=[examples[each] for each in dict.fromkeys(question.like)],
        folded=folded,
        answer=_result_page(question, found, facets.components, ranked=matches is not None),
        groups=filter_groups(facets, question),
        chips=_chips(question, examples, sent),
    )


def _folded(
    connection: psycopg.Connection, matches: Sequence[Match]
) -> dict[str, list[IndexedComponent]]:
    """Return the components that are folded under each match, by the id of the match."""
    below = find_components(connection, [each for match in matches for each in match.folded])
    return {
        match.component_id: [below[each] for each in match.folded if each in below]
        for match in matches
        if match.folded
    }


def _examples(library: Library, question: SearchTerms) -> dict[str, IndexedComponent]:
    """Return the question's components by id. Raises QuestionError for an unknown id."""
    ids = (*question.like, *question.not_like)
    if not ids:
        return {}
    with library.database.connect() as connection:
        found = find_components(connection, ids)
    for each in ids:
        if each not in found:
            raise QuestionError(no_component(each))
    return found


def _result_page(
    question: SearchTerms, found: Sequence[IndexedComponent], fitting: int, *, ranked: bool
) -> ResultPage:
    first = (question.page - 1) * question.k + 1
    cut = ranked and (question.least_score is not None or question.collapse is not None)
    goes_on = len(found) == question.k if cut else first - 1 + len(found) < fitting
    back = question_url(question, page=question.page - 1) if question.page > 1 else None
    on = question_url(question, page=question.page + 1)
    return ResultPage(
        cards=found,
        first=first,
        total=None if cut else fitting,
        previous_url=back,
        next_url=on if found and goes_on and question.page < MAX_PAGE else None,
    )


def _chips(
    question: SearchTerms, examples: dict[str, IndexedComponent], sent: SentPicture | None
) -> list[Chip]:
    names = {each: component.title for each, component in examples.items()}
    return chips(question, names, sent.name if sent else None)
