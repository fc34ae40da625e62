"""Components as people see them: the newest, one in detail, its revisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg

from library_pipeline.catalog.component import FileKind, IndexedComponent
from library_pipeline.search.ranking import PASSES, Filters

_TEXTS: Final[tuple[FileKind, ...]] = ("config", "format", "records")

_COMPONENT = """
select v.component_id, v.name, v.client, v.category, v.screenshot_sha256, v.tags, v.source,
       v.attributes, v.revision, v.updated_at, v.width, v.height, v.indexed_at,
       c.config_sha256, c.format_sha256, c.records_sha256
from library.component v join pipeline.component c using (component_id)
where v.component_id = %s
"""
_LISTED = """
select component_id, name, client, category, screenshot_sha256, tags from library.component
"""
_NEWEST = (
    f"{_LISTED} where {PASSES} order by indexed_at desc, component_id limit %(k)s offset %(skip)s"
)
_REVISIONS = """
select revision, fetched_at, files from pipeline.bundle where component_id = %s
order by fetched_at desc, revision limit %s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentDetails(IndexedComponent):
    """One searchable component with everything that is indexed; `files` are digests by kind."""

    width: int
    height: int
    indexed_at: datetime
    files: dict[FileKind, str]


@dataclass(frozen=True, slots=True)
class Revision:
    """The files of one revision, by digest and kind, and when they were fetched."""

    revision: str
    fetched_at: datetime
    files: Mapping[str, str]


def find_components(
    connection: psycopg.Connection, ids: Sequence[str]
) -> dict[str, IndexedComponent]:
    """Return the searchable ones of the components `ids`, by id."""
    if not ids:
        return {}
    rows = connection.execute(_LISTED + "where component_id = any(%s)", (list(ids),))
    return {row[0]: _listed(row) for row in rows}


def newest_components(
    connection: psycopg.Connection, filters: Filters, *, k: int, skip: int = 0
) -> list[IndexedComponent]:
    """Return the `k` components indexed last that pass `filters`, without the newest `skip`.

    Ignores `filters.excluding`.
    """
    terms = {**filters.parameters(), "k": k, "skip": skip}
    rows = connection.execute(_NEWEST, terms)
    return [_listed(row) for row in rows]


def component_revisions(
    connection: psycopg.Connection, component_id: str, *, limit: int
) -> list[Revision]:
    """Return the revisions of a component whose bundles are on record, the latest first."""
    return [
        Revision(revision, fetched_at, {kind: file["sha256"] for kind, file in files.items()})
        for revision, fetched_at, files in connection.execute(_REVISIONS, (component_id, limit))
    ]


def component_details(connection: psycopg.Connection, component_id: str) -> ComponentDetails | None:
    """Return everything that is indexed of a component, or None if it is not searchable."""
    if "\x00" in component_id:
        return None  # PostgreSQL has no such character
    row = connection.execute(_COMPONENT, (component_id,)).fetchone()
    if row is None:
        return None
    facts: tuple[Any, ...] = (*row[:5], tuple(row[5]), *row[6:10])
    width, height, indexed_at, *files = row[10:]
    return ComponentDetails(
        *facts,
        width=width,
        height=height,
        indexed_at=indexed_at,
        files=dict(zip(_TEXTS, files, strict=True)),
    )


def screenshot_format(connection: psycopg.Connection, sha256: str) -> str | None:
    """Return the image format of a known screenshot, such as `png`, or None."""
    row = connection.execute(
        "select format from pipeline.screenshot where sha256 = %s", (sha256,)
    ).fetchone()
    return row[0] if row else None


def _listed(row: tuple[Any, ...]) -> IndexedComponent:
    component_id, name, client, category, digest, tags = row
    return IndexedComponent(component_id, name, client, category, digest, tuple(tags))
