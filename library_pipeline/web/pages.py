"""The search page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response

from library_pipeline.web.browse import Card, cards, newest
from library_pipeline.web.library import InLibrary
from library_pipeline.web.questions import Asked, Upload
from library_pipeline.web.rendering import frame, page, preview
from library_pipeline.web.uploads import uploaded

router = APIRouter(include_in_schema=False)


@router.get("/")
def search(request: Request, question: Annotated[Asked, Query()], library: InLibrary) -> Response:
    """Show what fits a text (it wins) or resembles a component; else the newest components."""
    alike: Card | None = None
    with library.database.connect() as connection:
        around = frame(connection)
        found = []
        if not question.asks:
            found = newest(connection, k=question.k, client=_client(question))
    if question.like:
        alike = library.component(question.like[0]).card
    if question.asks:
        found = cards(library.finder.find(question.query()))
    return page(
        request,
        "search.html",
        frame=around,
        cards=found,
        text=question.text or "",
        client=_client(question),
        k=question.k,
        alike=alike,
        picture=None,
        picture_name="",
    )


@router.post("/search")
def search_by_picture(
    request: Request,
    sent: Annotated[tuple[Upload, Asked], Depends(uploaded)],
    library: InLibrary,
) -> Response:
    """Show the components most like the form's `picture`, beside it."""
    upload, question = sent
    picture, matches = library.search_picture(upload, question)
    with library.database.connect() as connection:
        around = frame(connection)
    return page(
        request,
        "search.html",
        frame=around,
        cards=cards(matches),
        text="",
        client=_client(question),
        k=question.k,
        alike=None,
        picture=preview(picture),
        picture_name=upload.name,
    )


@router.get("/search")
def search_again() -> Response:
    """Lead whoever reloads a picture's results back to the search."""
    return RedirectResponse("/", status_code=303)


def _client(question: Asked) -> str | None:
    return question.client[0] if question.client else None
