"""What the pages read beyond searching: clients, the newest components, one component."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from library_pipeline.catalog.component import FileKind
from library_pipeline.store.search import Match

_COMPONENT = """
select v.component_id, v.name, v.client, v.category, v.tags, v.revision, v.screenshot_sha256,
       v.width, v.height, v.updated_at, v.indexed_at,
       v.source, v.attributes, c.config_sha256, c.format_sha256, c.records_sha256
from library.component v join pipeline.component c using (component_id)
where v.component_id = %s
"""
_NEWEST = """
select component_id, name, client, category, screenshot_sha256 from library.component
where %(client)s::text is null or client = %(client)s
order by indexed_at desc, component_id limit %(k)s
"""


@dataclass(frozen=True, slots=True)
class Card:
    """A component as lists show it; `score` only where it answers a question."""

    component_id: str
    name: str
    client: str
    category: str
    screenshot_sha256: str
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Details:
    """A searchable component; `files` are the digests of its texts by kind."""

    card: Card
    tags: tuple[str, ...]
    revision: str
    width: int
    height: int
    updated_at: datetime | None
    indexed_at: datetime
    source: str
    attributes: dict[str, Any]
    files: dict[FileKind, str]


@dataclass(frozen=True, slots=True)
class Client:
    """A client and how many searchable components it has."""

    name: str
    components: int


def cards(matches: Sequence[Match]) -> list[Card]:
    """Return search results as cards, in their order."""
    return [
        Card(
            match.component_id,
            match.name,
            match.client,
            match.category,
            match.screenshot_sha256,
            match.score,
        )
        for match in matches
    ]


def clients(connection: psycopg.Connection) -> list[Client]:
    """Return the clients that have searchable components, by name."""
    rows = connection.execute(
        """select client, count(*) from library.component where client <> ''
           group by client order by lower(client), client"""
    )
    return [Client(*row) for row in rows]


def newest(connection: psycopg.Connection, *, k: int, client: str | None = None) -> list[Card]:
    """Return the `k` components that were indexed last, newest first."""
    return [Card(*row) for row in connection.execute(_NEWEST, {"k": k, "client": client})]


def details(connection: psycopg.Connection, component_id: str) -> Details | None:
    """Return what is indexed of a component, or None if it is not searchable."""
    if "\x00" in component_id:
        return None  # PostgreSQL has no such character
    row = connection.execute(_COMPONENT, (component_id,)).fetchone()
    if row is None:
        return None
    identity, name, client, category, tags, revision, digest, *rest = row
    width, height, updated_at, indexed_at, source, attributes, config, format_, records = rest
    return Details(
        card=Card(identity, name, client, category, digest),
        tags=tuple(tags),
        revision=revision,
        width=width,
        height=height,
        updated_at=updated_at,
        indexed_at=indexed_at,
        source=source,
        attributes=attributes,
        files={"config": config, "format": format_, "records": records},
    )


def screenshot_format(connection: psycopg.Connection, sha256: str) -> str | None:
    """Return the image format of a known screenshot, such as `png`, or None."""
    row = connection.execute(
        "select format from pipeline.screenshot where sha256 = %s", (sha256,)
    ).fetchone()
    return row[0] if row else None
