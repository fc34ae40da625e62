"""The page of near-duplicates: groups as rows of thumbnails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import urlencode

import psycopg
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, field_validator

from library_pipeline.search.groups import Group, Groups, find_groups
from library_pipeline.store.duplicates import Narrowing
from library_pipeline.store.embeddings import RegisteredEncoder
from library_pipeline.store.look_alikes import FLOOR, Comparison, comparison
from library_pipeline.web.library import InLibrary, Library
from library_pipeline.web.questions import MAX_PAGE, Names
from library_pipeline.web.rendering import frame, page

router = APIRouter(include_in_schema=False)

THRESHOLD: Final = 0.95
MOST_GROUPS: Final = 50
MOST_COMPARED: Final = 8  # screenshots whose similarities are shown in a table


class AskedGroups(BaseModel):
    """Which groups are asked for; blank ones count as not given."""

    model_config = ConfigDict(frozen=True)

    threshold: Annotated[
        float, Field(ge=FLOOR, le=1, description="How alike two screenshots are linked from.")
    ] = THRESHOLD
    encoder: Annotated[
        str | None, Field(max_length=40, description="An active one; else the one that counts most")
    ] = None
    client: Annotated[Names, Field(description="Groups with a component of any of these.")] = ()
    category: Annotated[Names, Field(description="Groups with a component of any of these.")] = ()
    across: Annotated[bool, Field(description="Only groups of several clients.")] = False
    k: Annotated[int, Field(ge=1, le=MOST_GROUPS)] = 20
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

    @property
    def narrowing(self) -> Narrowing:
        """Which groups may be shown."""
        return Narrowing(self.client, self.category, self.across)

    def url(self, **other: object) -> str:
        """Return the address of the page with these parameters, some of them changed."""
        given = {**self.model_dump(exclude_defaults=True), **other}
        if given.get("page") == 1:
            del given["page"]
        return "/duplicates" + ("?" + urlencode(given, doseq=True) if given else "")


@dataclass(frozen=True, slots=True)
class Answer:
    """The groups by an encoder, and how far it has compared; None before the first refresh."""

    encoder: RegisteredEncoder | None
    state: Comparison
    found: Groups


@router.get("/duplicates")
def duplicates(
    request: Request, asked: Annotated[AskedGroups, Query()], library: InLibrary
) -> Response:
    """Show groups of components that look all but the same, as rows of thumbnails."""
    with library.database.connect() as connection:
        around = frame(connection)
        answer = answer_of(connection, library, asked)
        clients = library.facets.names(connection, "client")
        every = library.facets.names(connection, "category")
    return page(
        request,
        "duplicates.html",
        frame=around,
        asked=asked,
        answer=answer,
        clients=clients,
        categories=every,
        floor=FLOOR,
        last_page=min(MAX_PAGE, -(-answer.found.total // asked.k)),
        compare_url=compare_url,
        table=similarity_table,
    )


def compare_url(group: Group, most: int = 4) -> str:
    """Return the address where the first members of a group lie beside each other."""
    ids = [member.component.component_id for member in group.members[:most]]
    return "/compare?" + urlencode({"id": ids}, doseq=True)


def similarity_table(group: Group) -> list[tuple[str, list[float | None]]]:
    """Return the first screenshots' digests with their similarities to each other.

    1 for the same one, None for less than the floor. None at all where there is but one.
    """
    shown = list(dict.fromkeys(each.component.screenshot_sha256 for each in group.members))
    shown = shown[:MOST_COMPARED]
    if len(shown) < 2:
        return []
    return [(one, list(_similarities(group, one, shown))) for one in shown]


def _similarities(group: Group, one: str, others: list[str]) -> Iterator[float | None]:
    for other in others:
        pair = (min(one, other), max(one, other))
        yield 1.0 if one == other else group.similarities.get(pair)


def answer_of(connection: psycopg.Connection, library: Library, asked: AskedGroups) -> Answer:
    """Return the groups that are asked for. Raises SearchError for an encoder that is not asked."""
    encoder = library.finder.encoder(connection, asked.encoder)
    if encoder is None:
        return Answer(None, Comparison(0, 0, 0, None), Groups((), 0, 0))
    found = find_groups(
        connection,
        encoder,
        asked.threshold,
        narrowing=asked.narrowing,
        k=asked.k,
        skip=(asked.page - 1) * asked.k,
    )
    return Answer(encoder, comparison(connection, encoder), found)
