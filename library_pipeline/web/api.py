"""The JSON twin of the search page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final, get_args

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, TypeAdapter

from library_pipeline.search.attributes import attribute_word
from library_pipeline.search.facets import Field
from library_pipeline.search.ranking import Match
from library_pipeline.search.weights import UnanswerableError
from library_pipeline.web.library import InLibrary
from library_pipeline.web.links import component_url, screenshot_url, thumbnail_url
from library_pipeline.web.questions import Asked, Upload, something
from library_pipeline.web.uploads import FORM, uploaded

router = APIRouter(prefix="/api", tags=["search"])


class FoundComponent(BaseModel):
    """One search result; `scores` are cosine similarities by encoder, `score` their mean.

    The mean is weighted; 1 is best. `folded` are ids of results that look all but the same, where
    `collapse` was asked for.
    """

    model_config = ConfigDict(frozen=True)

    rank: int
    component_id: str
    name: str
    client: str
    category: str
    tags: tuple[str, ...]
    source: str
    attributes: dict[str, Any]
    revision: str
    updated_at: datetime | None
    score: float
    scores: dict[str, float]
    folded: tuple[str, ...]
    screenshot_sha256: str
    screenshot_url: str
    thumbnail_url: str
    url: str


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
    """Return how OpenAPI tells of answers with these statuses."""
    return {status: {"model": Refusal, "description": _WHY[status]} for status in statuses}


@router.get("/search", response_model=list[FoundComponent], responses=refusals(400, 404, 409, 503))
def search(question: Annotated[Asked, Query()], library: InLibrary) -> Response:
    """Search by text or component.

    Returns the components that fit a `text` or resemble the component `like`; best first.
    """
    query = something(question).query()
    try:
        return answer(library.finder.find(query))
    except UnanswerableError:
        for component_id in (*question.like, *question.not_like):
            library.component(component_id)  # says which one there is not
        raise


@router.post(
    "/search",
    response_model=list[FoundComponent],
    responses=refusals(400, 404, 408, 409, 413, 503),
    openapi_extra=FORM,
)
def search_by_picture(
    sent: Annotated[tuple[Upload, Asked], Depends(uploaded)], library: InLibrary
) -> Response:
    """Search by picture.

    Returns the components most like the form's `picture`; best first. Parameters may be fields of
    the form or in the query.
    """
    try:
        _, matches = library.search_picture(*sent)
    except UnanswerableError:
        for component_id in (*sent[1].like, *sent[1].not_like):
            library.component(component_id)
        raise
    return answer(matches)


@router.get("/facets", responses=refusals(400, 503))
def facets(question: Annotated[Asked, Query()], library: InLibrary) -> FoundFacets:
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


def answer(matches: Sequence[Match]) -> Response:
    """Return search results as the API tells them.

    Written here at once: FastAPI would check them again, in another thread, for as long as they
    take to be found.
    """
    found = [
        FoundComponent.model_construct(
            rank=match.rank,
            component_id=match.component_id,
            name=match.name,
            client=match.client,
            category=match.category,
            tags=match.tags,
            source=match.source,
            attributes=match.attributes,
            revision=match.revision,
            updated_at=match.updated_at,
            score=round(match.score, 6),
            scores={name: round(score, 6) for name, score in match.scores.items()},
            folded=match.folded,
            screenshot_sha256=match.screenshot_sha256,
            screenshot_url=screenshot_url(match.screenshot_sha256),
            thumbnail_url=thumbnail_url(match.screenshot_sha256),
            url=component_url(match.component_id),
        )
        for match in matches
    ]
    return Response(_FOUND.dump_json(found), media_type="application/json")
