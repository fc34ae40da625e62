"""The JSON twin of the search page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict

from library_pipeline.store.search import Match
from library_pipeline.web.library import InLibrary
from library_pipeline.web.links import component_url, screenshot_url
from library_pipeline.web.questions import Asked, Upload, answer, exactly_one
from library_pipeline.web.uploads import uploaded

router = APIRouter(prefix="/api")


class FoundComponent(BaseModel):
    """One search result; `scores` are cosine similarities by encoder, `score` their mean.

    The mean is weighted; 1 is best.
    """

    model_config = ConfigDict(frozen=True)

    component_id: str
    name: str
    client: str
    category: str
    tags: tuple[str, ...]
    revision: str
    score: float
    scores: dict[str, float]
    screenshot_sha256: str
    screenshot_url: str
    url: str


class Refusal(BaseModel):
    """Why there is no answer."""

    error: str


_REFUSALS = {status: {"model": Refusal} for status in (400, 404, 409, 503)}


@router.get("/search", responses={**_REFUSALS})
def search(question: Annotated[Asked, Query()], library: InLibrary) -> list[FoundComponent]:
    """Return the components that fit a `text` or resemble the component `like`; best first."""
    exactly_one(question)
    if question.like is not None:
        library.component(question.like)
    return _found(answer(library.finder, question))


@router.post("/search", responses={**_REFUSALS, 413: {"model": Refusal}})
def search_by_picture(
    sent: Annotated[tuple[Upload, Asked], Depends(uploaded)], library: InLibrary
) -> list[FoundComponent]:
    """Return the components most like the form's `picture`; best first."""
    _, matches = library.search_picture(*sent)
    return _found(matches)


def _found(matches: Sequence[Match]) -> list[FoundComponent]:
    return [
        FoundComponent(
            component_id=match.component_id,
            name=match.name,
            client=match.client,
            category=match.category,
            tags=match.tags,
            revision=match.revision,
            score=round(match.score, 6),
            scores={name: round(score, 6) for name, score in match.scores.items()},
            screenshot_sha256=match.screenshot_sha256,
            screenshot_url=screenshot_url(match.screenshot_sha256),
            url=component_url(match.component_id),
        )
        for match in matches
    ]
