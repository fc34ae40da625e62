"""The pages about components rather than questions: one component, and those that failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from library_pipeline.bundles.store import BundleError, BundleStore
from library_pipeline.encoders import EncoderError
from library_pipeline.search.finder import SearchError
from library_pipeline.store.failures import open_failures
from library_pipeline.store.index import indexed_files
from library_pipeline.web.browse import Card, Details, cards
from library_pipeline.web.library import InLibrary, Library
from library_pipeline.web.rendering import frame, page

router = APIRouter(include_in_schema=False)

NEIGHBOURS: Final = 8
MAX_FAILURES: Final = 500
MAX_FILE_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class FileText:
    """One text file of a bundle, cut at a length a page can bear; `size` in bytes of the whole."""

    kind: str
    text: str
    size: int
    cut: bool
    missing: bool = False


@router.get("/components/{component_id:path}")
def component(
    request: Request,
    component_id: str,
    library: InLibrary,
    named: Annotated[str, Query(alias="id")] = "",
) -> Response:
    """Show one component: picture, attributes, files as text, look-alikes."""
    found = library.component(component_id or named)
    with library.database.connect() as connection:
        around = frame(connection)
    neighbours, reason = _neighbours(library, found)
    return page(
        request,
        "component.html",
        frame=around,
        component=found,
        card=found.card,
        files=[_text(library.bundles, kind, digest) for kind, digest in found.files.items()],
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
    return cards(matches), ""


def _text(bundles: BundleStore, kind: str, digest: str) -> FileText:
    try:
        data = bundles.get(digest)
    except BundleError:
        return FileText(kind, "", 0, cut=False, missing=True)
    text = data[:MAX_FILE_BYTES].decode("utf-8", errors="replace")
    return FileText(kind, text, len(data), cut=len(data) > MAX_FILE_BYTES)
