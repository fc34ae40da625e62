"""Components in the API: what is known of one, its files, and what is most like it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from library_pipeline.search.query import Example
from library_pipeline.search.weights import UnanswerableError
from library_pipeline.web import links
from library_pipeline.web.api import FoundComponent, answer, refusals
from library_pipeline.web.browse import Details
from library_pipeline.web.library import InLibrary
from library_pipeline.web.pictures import file_headers, is_known, stored
from library_pipeline.web.problems import Problem, QuestionError
from library_pipeline.web.questions import Narrowed, storable

router = APIRouter(prefix="/api/components", tags=["components"])

TextKind = Literal["config", "format", "records"]
_TYPES: Final[dict[TextKind, str]] = {
    "config": "application/json",
    "format": "text/plain; charset=utf-8",
    "records": "application/json",
}


class Screenshot(BaseModel):
    """A component's picture, as it was downloaded and as a thumbnail; sizes in pixels."""

    model_config = ConfigDict(frozen=True)

    sha256: str
    width: int
    height: int
    url: str
    thumbnail_url: str


class TextFile(BaseModel):
    """One of a component's texts in the bundle store."""

    model_config = ConfigDict(frozen=True)

    sha256: str
    url: str


class ComponentFacts(BaseModel):
    """All that is indexed of a component, at its last good revision."""

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
    indexed_at: datetime
    screenshot: Screenshot
    files: dict[TextKind, TextFile]
    url: str
    similar_url: str


async def _id(
    component_id: Annotated[str, Path(description="The id, escaped: any Unicode, also slashes.")],
    named: Annotated[
        str,
        Query(alias="id", description="Instead of an id in the path: for those that are `.`, `..`"),
    ] = "",
) -> str:
    try:
        return storable(component_id or named)
    except ValueError as error:
        problem = Problem(400, "This question cannot be asked", f"id: {error}")
        raise QuestionError(problem) from None


OfComponent = Annotated[str, Depends(_id)]


@router.get(
    "/{component_id:path}/similar",
    response_model=list[FoundComponent],
    responses=refusals(400, 404, 409, 503),
)
def similar(
    component_id: OfComponent, question: Annotated[Narrowed, Query()], library: InLibrary
) -> Response:
    """Find what looks like a component.

    Returns the components most like it, best first, without itself; needs no model.
    """
    try:
        query = question.about((Example(component=component_id),))
        return answer(library.finder.find(query))
    except UnanswerableError:
        library.component(component_id)  # says if there is none
        raise


@router.get(
    "/{component_id:path}/files/{kind}",
    response_class=Response,
    responses={
        200: {"description": "The text", "content": {"application/json": {}, "text/plain": {}}},
        304: {"description": "It is as `If-None-Match` says"},
        **refusals(400, 404, 503),
    },
)
def component_file(
    request: Request, component_id: OfComponent, kind: TextKind, library: InLibrary
) -> Response:
    """Read a component's config, format or records.

    Returns the bytes as they were downloaded, whose sha256 is the ETag.
    """
    file = library.component(component_id).files[kind]
    headers = file_headers(file, immutable=False)
    if is_known(request, file):
        return Response(status_code=304, headers=headers)
    return Response(stored(library, file), headers=headers, media_type=_TYPES[kind])


@router.get("/{component_id:path}", responses=refusals(400, 404, 503))
def component(component_id: OfComponent, library: InLibrary) -> ComponentFacts:
    """Describe a component.

    Returns all that is indexed of it, with its files' digests and addresses.
    """
    return _facts(library.component(component_id))


def _facts(found: Details) -> ComponentFacts:
    card = found.card
    return ComponentFacts(
        component_id=card.component_id,
        name=card.name,
        client=card.client,
        category=card.category,
        tags=card.tags,
        source=found.source,
        attributes=dict(found.attributes),
        revision=found.revision,
        updated_at=found.updated_at,
        indexed_at=found.indexed_at,
        screenshot=Screenshot(
            sha256=card.screenshot_sha256,
            width=found.width,
            height=found.height,
            url=links.screenshot_url(card.screenshot_sha256),
            thumbnail_url=links.thumbnail_url(card.screenshot_sha256),
        ),
        files={
            kind: TextFile(sha256=found.files[kind], url=links.file_url(card.component_id, kind))
            for kind in _TYPES
        },
        url=links.component_url(card.component_id),
        similar_url=links.similar_url(card.component_id),
    )
