"""The pages about components rather than questions: one component, and those that failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from library_pipeline.encoders import EncoderError
from library_pipeline.index.write import indexed_files
from library_pipeline.refresh.outcomes import open_failures
from library_pipeline.search.weights import SearchError
from library_pipeline.web.browse import Card, Details, cards
from library_pipeline.web.history import history
from library_pipeline.web.library import InLibrary, Library
from library_pipeline.web.links import is_web_address
from library_pipeline.web.rendering import frame, page
from library_pipeline.web.texts import by_name, file_text

router = APIRouter(include_in_schema=False)

NEIGHBOURS: Final = 8
MAX_FAILURES: Final = 500


@router.get("/components/{component_id:path}")
def component(
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
        past = history(connection, library.bundles, found.card.component_id)
        failure = next(
            iter(open_failures(connection, component_id=found.card.component_id, limit=1)), None
        )
    return page(
        request,
        "component.html",
        frame=around,
        component=found,
        card=found.card,
        attributes=by_name(found.attributes),
        links=_links(found.attributes),
        dagster=library.dagster.of_component(found.card.component_id),
        files=[file_text(library.bundles, kind, digest) for kind, digest in found.files.items()],
        history=past,
        failure=failure,
        neighbours=neighbours,
        reason=reason,
    )


@router.get("/failures")
def failures(request: Request, library: InLibrary) -> Response:
    """Show which components could not be brought up to date, and why."""
    with library.database.connect() as connection:
        around = frame(connection)
        failed = open_failures(connection, limit=MAX_FAILURES)
        searchable = indexed_files(connection, [failure.component_id for failure in failed])
    return page(
        request, "failures.html", frame=around, failures=failed, searchable=searchable.keys()
    )


def _neighbours(library: Library, found: Details) -> tuple[list[Card], str]:
    """Return the look-alikes, or none and the reason: the rest of the page needs no model."""
    try:
        matches = library.finder.like_component(found.card.component_id, k=NEIGHBOURS)
    except (SearchError, EncoderError) as error:
        return [], str(error)
    with library.database.connect() as connection:
        return cards(connection, matches), ""


def _links(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Return the attributes that are addresses on the web: the CMS's entry, most likely."""
    return {
        name: value
        for name, value in attributes.items()
        if isinstance(value, str) and is_web_address(value)
    }
