"""The search page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response

from library_pipeline.web.browse import Card, cards, newest
from library_pipeline.web.library import InLibrary
from library_pipeline.web.questions import Asked, Upload, answer
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
        if question.text is None and question.like is None:
            found = newest(connection, k=question.k, client=question.client)
    if question.text is None and question.like is not None:
        alike = library.component(question.like).card
    if question.text is not None or alike is not None:
        found = cards(answer(library.finder, question))
    return page(
        request,
        "search.html",
        frame=around,
        cards=found,
        text=question.text or "",
        client=question.client,
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
        client=question.client,
        k=question.k,
        alike=None,
        picture=preview(picture),
        picture_name=upload.name,
    )


@router.get("/search")
def search_again() -> Response:
    """Lead whoever reloads a picture's results back to the search."""
    return RedirectResponse("/", status_code=303)
