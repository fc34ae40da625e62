"""The JSON twin of the page of near-duplicates."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from library_pipeline.search.groups import Group
from library_pipeline.web.api import refusals
from library_pipeline.web.duplicates import AskedGroups, answer_of, compare_url
from library_pipeline.web.library import InLibrary
from library_pipeline.web.links import component_url, thumbnail_url

router = APIRouter(prefix="/api")


class FoundMember(BaseModel):
    """A component of a group; `nearest` is its similarity to the most alike of the others."""

    component_id: str
    name: str
    client: str
    category: str
    nearest: float
    screenshot_sha256: str
    thumbnail_url: str
    url: str


class FoundPair(BaseModel):
    """How alike two screenshots of a group are, 1 at best."""

    screenshots: tuple[str, str]
    similarity: float


class FoundGroup(BaseModel):
    """A group; `members` are the first of `size`."""

    size: int
    screenshots: int
    clients: int
    members: list[FoundMember]
    pairs: list[FoundPair]
    compare_url: str


class FoundGroups(BaseModel):
    """A page of groups, the largest first; `waiting` screenshots have not been compared yet."""

    encoder: str | None
    threshold: float
    groups: list[FoundGroup]
    total_groups: int
    total_components: int
    compared: int
    waiting: int
    compared_at: datetime | None


@router.get("/duplicates", responses=refusals(400, 404, 409, 503))
def groups(asked: Annotated[AskedGroups, Query()], library: InLibrary) -> FoundGroups:
    """Return groups of components that look all but the same, the largest first."""
    with library.database.connect() as connection:
        answer = answer_of(connection, library, asked)
    return FoundGroups(
        encoder=answer.encoder.name if answer.encoder else None,
        threshold=asked.threshold,
        groups=[_group(each) for each in answer.found.groups],
        total_groups=answer.found.total,
        total_components=answer.found.components,
        compared=answer.state.compared,
        waiting=answer.state.waiting,
        compared_at=answer.state.at,
    )


def _group(group: Group) -> FoundGroup:
    members = [
        FoundMember(
            component_id=each.component.component_id,
            name=each.component.name,
            client=each.component.client,
            category=each.component.category,
            nearest=each.nearest,
            screenshot_sha256=each.component.screenshot_sha256,
            thumbnail_url=thumbnail_url(each.component.screenshot_sha256),
            url=component_url(each.component.component_id),
        )
        for each in group.members
    ]
    pairs = [
        FoundPair(screenshots=pair, similarity=similarity)
        for pair, similarity in sorted(group.similarities.items())
    ]
    return FoundGroup(
        size=group.size,
        screenshots=group.screenshots,
        clients=group.clients,
        members=members,
        pairs=pairs,
        compare_url=compare_url(group),
    )
