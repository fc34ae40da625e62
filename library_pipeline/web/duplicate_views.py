"""Groups of duplicates, as a page with rows of thumbnails and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Final
from urllib.parse import urlencode

import psycopg
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, field_validator

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.search.duplicates import (
    DuplicateGroup,
    GroupFilter,
    GroupPage,
    find_groups,
)
from library_pipeline.search.look_alikes import (
    MIN_SIMILARITY,
    ComparisonState,
    read_comparison_state,
)
from library_pipeline.web.library import InLibrary, Library
from library_pipeline.web.links import component_url, thumbnail_url
from library_pipeline.web.questions import MAX_PAGE, Names
from library_pipeline.web.rendering import frame, page
from library_pipeline.web.search_views import refusals

router = APIRouter()

THRESHOLD: Final = 0.95
MAX_GROUPS: Final = 50
MAX_COMPARED: Final = 8  # screenshots in a table of similarities
MAX_BESIDE: Final = 4  # components on the page that compares them


class GroupsQuery(BaseModel):
    """Which groups to return; blank values count as not given."""

    model_config = ConfigDict(frozen=True)

    threshold: Annotated[
        float,
        Field(
            ge=MIN_SIMILARITY,
            le=1,
            description="The similarity from which two screenshots are linked.",
        ),
    ] = THRESHOLD
    encoder: Annotated[
        str | None,
        Field(max_length=40, description="An active encoder. Without, the one of the most weight."),
    ] = None
    client: Annotated[Names, Field(description="Groups with a component of any of these.")] = ()
    category: Annotated[Names, Field(description="Groups with a component of any of these.")] = ()
    across: Annotated[bool, Field(description="Only groups of several clients.")] = False
    k: Annotated[int, Field(ge=1, le=MAX_GROUPS)] = 20
    page: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 1

    @field_validator("client", "category", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list | tuple):
            return value
        return tuple(each for each in values if not isinstance(each, str) or each.strip())

    @field_validator("encoder", "threshold", "across", "k", "page", mode="before")
    @classmethod
    def _blank(cls, value: object, info: object) -> object:
        name = getattr(info, "field_name", "")
        blank = isinstance(value, str) and not value.strip()
        return cls.model_fields[name].default if blank else value

    @field_validator("client", "category", "encoder")
    @classmethod
    def _storable(cls, value: tuple[str, ...] | str | None) -> tuple[str, ...] | str | None:
        if any("\x00" in each for each in value or ()):  # PostgreSQL has no such character
            raise ValueError("must not contain the character U+0000")
        return value

    def url(self, **changes: object) -> str:
        """Return the address of the page with these parameters and `changes`."""
        terms = {**self.model_dump(exclude_defaults=True), **changes}
        if terms.get("page") == 1:
            del terms["page"]
        return "/duplicates" + ("?" + urlencode(terms, doseq=True) if terms else "")


@dataclass(frozen=True, slots=True)
class DuplicatesView:
    """What both the page and the JSON show; `encoder` is None before the first refresh."""

    encoder: EncoderInfo | None
    state: ComparisonState
    found: GroupPage


def _read_view(
    connection: psycopg.Connection, library: Library, query: GroupsQuery
) -> DuplicatesView:
    """Read the groups that `query` names. Raises SearchError for an encoder that is not active."""
    encoder = library.finder.encoder(connection, query.encoder)
    if encoder is None:
        return DuplicatesView(None, ComparisonState(), GroupPage())
    found = find_groups(
        connection,
        encoder,
        query.threshold,
        only=GroupFilter(query.client, query.category, query.across),
        k=query.k,
        skip=(query.page - 1) * query.k,
    )
    return DuplicatesView(encoder, read_comparison_state(connection, encoder), found)


@router.get("/duplicates", include_in_schema=False)
def duplicates_page(
    request: Request, query: Annotated[GroupsQuery, Query()], library: InLibrary
) -> Response:
    """Show groups of components that look nearly the same, as rows of thumbnails."""
    with library.database.connect() as connection:
        around = frame(connection)
        view = _read_view(connection, library, query)
        clients = library.facets.names(connection, "client")
        categories = library.facets.names(connection, "category")
    return page(
        request,
        "duplicates.html",
        frame=around,
        query=query,
        view=view,
        clients=clients,
        categories=categories,
        floor=MIN_SIMILARITY,
        last_page=min(MAX_PAGE, -(-view.found.total // query.k)),
        compare_url=compare_url,
        table=similarity_table,
    )


def compare_url(group: DuplicateGroup) -> str:
    """Return the address of the page that shows the first members beside each other."""
    ids = [member.component_id for member in group.members[:MAX_BESIDE]]
    return "/compare?" + urlencode({"id": ids}, doseq=True)


def similarity_table(group: DuplicateGroup) -> list[tuple[str, list[float | None]]]:
    """Return a row for each of the first screenshots: its digest and its similarities to them.

    A screenshot's similarity to itself is 1; None stands for one that is not kept. The table is
    empty if the group has only one screenshot.
    """
    digests = list(dict.fromkeys(member.screenshot_sha256 for member in group.members))
    digests = digests[:MAX_COMPARED]
    if len(digests) < 2:
        return []
    kept = group.similarities
    return [
        (
            one,
            [
                1.0 if one == other else kept.get((min(one, other), max(one, other)))
                for other in digests
            ],
        )
        for one in digests
    ]


class FoundMember(BaseModel):
    """A component of a group; `nearest` is its similarity to the most similar other one."""

    component_id: str
    name: str
    client: str
    category: str
    nearest: float
    screenshot_sha256: str
    thumbnail_url: str
    url: str


class FoundPair(BaseModel):
    """How alike two screenshots of a group are, at most 1."""

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


@router.get("/api/duplicates", name="groups", responses=refusals(400, 404, 409, 503))
def duplicates_json(query: Annotated[GroupsQuery, Query()], library: InLibrary) -> FoundGroups:
    """Return groups of components that look nearly the same, the largest first."""
    with library.database.connect() as connection:
        view = _read_view(connection, library, query)
    return FoundGroups(
        encoder=view.encoder.name if view.encoder else None,
        threshold=query.threshold,
        groups=[_group_json(group) for group in view.found.groups],
        total_groups=view.found.total,
        total_components=view.found.components,
        compared=view.state.compared,
        waiting=view.state.waiting,
        compared_at=view.state.at,
    )


def _group_json(group: DuplicateGroup) -> FoundGroup:
    return FoundGroup(
        size=group.size,
        screenshots=group.screenshots,
        clients=group.clients,
        members=[
            FoundMember(
                **asdict(member),
                thumbnail_url=thumbnail_url(member.screenshot_sha256),
                url=component_url(member.component_id),
            )
            for member in group.members
        ],
        pairs=[
            FoundPair(screenshots=pair, similarity=similarity)
            for pair, similarity in sorted(group.similarities.items())
        ],
        compare_url=compare_url(group),
    )
