"""One component, its files, look-alikes and failure, as a page and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from library_pipeline.encoders import EncoderError
from library_pipeline.index.write import indexed_files
from library_pipeline.refresh.outcomes import open_failures
from library_pipeline.search.browsing import ComponentDetails
from library_pipeline.search.query import Example, SearchError, UnanswerableError
from library_pipeline.search.query import Query as SearchQuery
from library_pipeline.search.ranking import Match
from library_pipeline.web import links
from library_pipeline.web.component_files import (
    by_name,
    component_history,
    file_headers,
    file_text,
    is_known,
    stored,
)
from library_pipeline.web.library import InLibrary, Library
from library_pipeline.web.links import is_web_address
from library_pipeline.web.problems import Problem, QuestionError
from library_pipeline.web.questions import ResultTerms, storable
from library_pipeline.web.rendering import frame, page
from library_pipeline.web.search_views import (
    ComponentModel,
    FoundComponent,
    answer_matches,
    component_facts,
    refusals,
)

pages = APIRouter(include_in_schema=False)

NEIGHBOURS: Final = 8
MAX_FAILURES: Final = 500


@pages.get("/components/{component_id:path}")
def show_component(
    request: Request,
    component_id: str,
    library: InLibrary,
    named: Annotated[str, Query(alias="id")] = "",
) -> Response:
    """Show one component: picture, attributes, files as text, its past, look-alikes."""
    found = library.component(component_id or named)
    neighbours, reason = _neighbours(library, found)
    with library.database.connect() as connection:
        around = frame(connection)
        past = component_history(connection, library.bundles, found.component_id)
        failures = open_failures(connection, component_id=found.component_id, limit=1)
    return page(
        request,
        "component.html",
        frame=around,
        component=found,
        attributes=by_name(found.attributes),
        links=_links(found.attributes),
        dagster=library.dagster.of_component(found.component_id),
        files=[file_text(library.bundles, kind, digest) for kind, digest in found.files.items()],
        history=past,
        failure=next(iter(failures), None),
        neighbours=neighbours,
        reason=reason,
    )


@pages.get("/failures")
def show_failures(request: Request, library: InLibrary) -> Response:
    """Show which components could not be brought up to date, and why."""
    with library.database.connect() as connection:
        around = frame(connection)
        failed = open_failures(connection, limit=MAX_FAILURES)
        searchable = indexed_files(connection, [failure.component_id for failure in failed])
    return page(
        request, "failures.html", frame=around, failures=failed, searchable=searchable.keys()
    )


def _neighbours(library: Library, found: ComponentDetails) -> tuple[Sequence[Match], str]:
    """Return the look-alikes, or none and the reason: the rest of the page needs no model."""
    query = SearchQuery((Example(component=found.component_id),), NEIGHBOURS)
    try:
        return library.finder.find(query), ""
    except (SearchError, EncoderError) as error:
        return [], str(error)


def _links(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Return the attributes that are addresses on the web: the CMS's entry, most likely."""
    return {
        name: value
        for name, value in attributes.items()
        if isinstance(value, str) and is_web_address(value)
    }


api = APIRouter(prefix="/api/components", tags=["components"])

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


class ComponentFacts(ComponentModel):
    """All that is indexed of a component, at its last good revision."""

    indexed_at: datetime
    screenshot: Screenshot
    files: dict[TextKind, TextFile]
    similar_url: str


async def _component_id(
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


OfComponent = Annotated[str, Depends(_component_id)]


@api.get(
    "/{component_id:path}/similar",
    response_model=list[FoundComponent],
    responses=refusals(400, 404, 409, 503),
)
def similar(
    component_id: OfComponent, question: Annotated[ResultTerms, Query()], library: InLibrary
) -> Response:
    """Find what looks like a component.

    Returns the components most like it, best first, without itself; needs no model.
    """
    try:
        query = question.about((Example(component=component_id),))
        return answer_matches(library.finder.find(query))
    except UnanswerableError:
        library.component(component_id)  # says if there is none
        raise


@api.get(
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


@api.get("/{component_id:path}", responses=refusals(400, 404, 503))
def component(component_id: OfComponent, library: InLibrary) -> ComponentFacts:
    """Describe a component.

    Returns all that is indexed of it, with its files' digests and addresses.
    """
    return _facts(library.component(component_id))


def _facts(found: ComponentDetails) -> ComponentFacts:
    digest = found.screenshot_sha256
    return ComponentFacts(
        **component_facts(found),
        indexed_at=found.indexed_at,
        screenshot=Screenshot(
            sha256=digest,
            width=found.width,
            height=found.height,
            url=links.screenshot_url(digest),
            thumbnail_url=links.thumbnail_url(digest),
        ),
        files={
            kind: TextFile(sha256=found.files[kind], url=links.file_url(found.component_id, kind))
            for kind in _TYPES
        },
        similar_url=links.similar_url(found.component_id),
    )
