"""Components as people see them: the newest, one in detail, its revisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import psycopg

from library_pipeline.catalog.component import FileKind
from library_pipeline.search.ranking import PASSES, Filters, Match

_TEXTS: Final[tuple[FileKind, ...]] = ("config", "format", "records")

_COMPONENT = """
select v.component_id, v.name, v.client, v.category, v.screenshot_sha256, v.tags, v.revision,
       v.width, v.height, v.updated_at, v.indexed_at, v.source, v.attributes,
       c.config_sha256, c.format_sha256, c.records_sha256
from library.component v join pipeline.component c using (component_id)
where v.component_id = %s
"""
_CARDS = """
select component_id, name, client, category, screenshot_sha256, tags from library.component
"""
_NEWEST = (
    f"{_CARDS} where {PASSES} order by indexed_at desc, component_id limit %(k)s offset %(skip)s"
)
_REVISIONS = """
select revision, fetched_at, files from pipeline.bundle where component_id = %s
order by fetched_at desc, revision limit %s
"""


@dataclass(frozen=True, slots=True)
class Card:
    """A component as lists show it.

    Where it answers a question it has a `score`, each encoder's `scores`, and `folded` under it
    the results that look all but the same.
    """

    component_id: str
    name: str
    client: str
    category: str
    screenshot_sha256: str
    tags: tuple[str, ...] = ()
    score: float | None = None
    scores: Mapping[str, float] = field(default_factory=dict[str, float])
    folded: tuple[Card, ...] = ()

    @property
    def title(self) -> str:
        """What it is called: its name, or its id."""
        return self.name or self.component_id


@dataclass(frozen=True, slots=True)
class ComponentDetails:
    """A searchable component; `files` are the digests of its texts by kind."""

    card: Card
    revision: str
    width: int
    height: int
    updated_at: datetime | None
    indexed_at: datetime
    source: str
    attributes: Mapping[str, Any]
    files: dict[FileKind, str]


@dataclass(frozen=True, slots=True)
class Revision:
    """What was fetched of one revision, and when; `files` are digests by kind."""

    revision: str
    fetched_at: datetime
    files: Mapping[str, str]


def cards_of_matches(connection: psycopg.Connection, matches: Sequence[Match]) -> list[Card]:
    """Return search results as cards, in their order."""
    below = cards_of(connection, [each for match in matches for each in match.folded])
    return [
        Card(
            match.component_id,
            match.name,
            match.client,
            match.category,
            match.screenshot_sha256,
            match.tags,
            match.score,
            match.scores,
            tuple(below[each] for each in match.folded if each in below),
        )
        for match in matches
    ]


def cards_of(connection: psycopg.Connection, ids: Sequence[str]) -> dict[str, Card]:
    """Return those of the components `ids` that are searchable, by id."""
    if not ids:
        return {}
    rows = connection.execute(_CARDS + "where component_id = any(%s)", (list(ids),))
    return {row[0]: _card(row) for row in rows}


def newest_components(
    connection: psycopg.Connection, filters: Filters, *, k: int, skip: int = 0
) -> list[Card]:
    """Return the `k` components that pass `filters` and were indexed last, but for the `skip` last.

    Filters on what is excluded are not looked at.
    """
    terms = {**filters.parameters(), "k": k, "skip": skip}
    return [_card(row) for row in connection.execute(_NEWEST, terms)]


def component_revisions(
    connection: psycopg.Connection, component_id: str, *, limit: int
) -> list[Revision]:
    """Return what was fetched of a component, the latest first."""
    return [
        Revision(revision, fetched_at, {kind: file["sha256"] for kind, file in files.items()})
        for revision, fetched_at, files in connection.execute(_REVISIONS, (component_id, limit))
    ]


def component_details(connection: psycopg.Connection, component_id: str) -> ComponentDetails | None:
    """Return what is indexed of a component, or None if it is not searchable."""
    if "\x00" in component_id:
        return None  # PostgreSQL has no such character
    row = connection.execute(_COMPONENT, (component_id,)).fetchone()
    if row is None:
        return None
    card, (revision, width, height, updated_at, indexed_at, source, attributes, *files) = (
        _card(row[:6]),
        row[6:],
    )
    return ComponentDetails(
        card=card,
        revision=revision,
        width=width,
        height=height,
        updated_at=updated_at,
        indexed_at=indexed_at,
        source=source,
        attributes=attributes,
        files=dict(zip(_TEXTS, files, strict=True)),
    )


def screenshot_format(connection: psycopg.Connection, sha256: str) -> str | None:
    """Return the image format of a known screenshot, such as `png`, or None."""
    row = connection.execute(
        "select format from pipeline.screenshot where sha256 = %s", (sha256,)
    ).fetchone()
    return row[0] if row else None


def _card(row: Sequence[Any]) -> Card:
    component_id, name, client, category, digest, tags = row
    return Card(component_id, name, client, category, digest, tuple(tags))
