"""The current manifest: replaced as a whole, or brought up to date by what changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from library_pipeline.catalog.component import FILE_KINDS, Component, FileKind, FileRef
from library_pipeline.refresh.manifest_state import current_manifest
from library_pipeline.refresh.staging import load_manifest
from library_pipeline.sources.entry import ManifestProblem

CMS = "http://cms"
READ_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = READ_AT + timedelta(hours=1)


def component(
    component_id: str, revision: str = "r1", updated_at: datetime | None = READ_AT
) -> Component:
    files: dict[FileKind, FileRef] = {kind: FileRef(f"{CMS}/{kind}") for kind in FILE_KINDS}
    return Component(component_id, revision, component_id, files, updated_at=updated_at)


def problem(component_id: str | None, updated_at: datetime | None = READ_AT) -> ManifestProblem:
    return ManifestProblem(
        0, component_id, "files", "null", "manifest.missing_file", "no files", updated_at
    )


Entries = list[Component | ManifestProblem]


def put_whole(
    connection: psycopg.Connection,
    entries: Entries,
    *,
    total: int | None = 2,
    read_at: datetime | None = READ_AT,
) -> None:
    with load_manifest(connection) as load:
        load.add(entries)
        load.commit(source=CMS, etag="whole", read_at=read_at, total=total)


def put_delta(
    connection: psycopg.Connection, entries: Entries, *, total: int = 2, source: str = CMS
) -> bool:
    with load_manifest(connection) as load:
        load.add(entries)
        return load.commit_delta(source=source, etag="delta", read_at=LATER, total=total)


def revisions(connection: psycopg.Connection) -> dict[str, str]:
    rows = connection.execute("select component_id, revision from pipeline.manifest_entry")
    return dict(rows.fetchall())


def test_a_delta_changes_and_adds_what_it_lists_and_keeps_the_rest(
    connection: psycopg.Connection,
) -> None:
    put_whole(connection, [component("a"), component("b")])
    assert put_delta(connection, [component("b", "r2"), component("c")], total=3)
    assert revisions(connection) == {"a": "r1", "b": "r2", "c": "r1"}
    known = current_manifest(connection)
    assert known is not None
    assert (known.etag, known.read_at, known.deltas) == ("delta", LATER, True)


@pytest.mark.parametrize(
    ("entries", "total"),
    [
        ([component("c")], 2),  # another one was removed
        ([component("b", "r2")], 3),  # another one was added unnoticed
        ([component("b", "r2"), component("b", "r3")], 2),
        ([component("b", "r2", updated_at=None)], 2),
        ([component("b", "r2"), problem(None)], 2),
    ],
)
def test_a_delta_that_does_not_fit_changes_nothing(
    connection: psycopg.Connection, entries: Entries, total: int
) -> None:
    put_whole(connection, [component("a"), component("b")])
    before = current_manifest(connection)
    assert not put_delta(connection, entries, total=total)
    assert revisions(connection) == {"a": "r1", "b": "r1"}
    assert current_manifest(connection) == before


def test_a_delta_fits_over_the_manifest_of_its_own_cms_only(
    connection: psycopg.Connection,
) -> None:
    assert not put_delta(connection, [component("a"), component("b")])
    put_whole(connection, [component("a"), component("b")])
    assert not put_delta(connection, [component("b", "r2")], source="http://other")
    assert revisions(connection) == {"a": "r1", "b": "r1"}


@pytest.mark.parametrize(
    ("entries", "total", "read_at", "deltas"),
    [
        ([component("a"), component("b")], 2, READ_AT, True),
        ([component("a"), problem("b")], 2, READ_AT, True),
        ([component("a"), component("b"), component("b")], 2, READ_AT, True),  # a page shifted
        ([component("a"), component("b")], None, READ_AT, False),
        ([component("a"), component("b")], 2, None, False),
        ([component("a"), component("b")], 3, READ_AT, False),
        ([component("a"), component("b", "r1"), component("b", "r2")], 3, READ_AT, False),
        ([component("a"), component("b", updated_at=None)], 2, READ_AT, False),
        ([component("a"), problem("b", updated_at=None)], 2, READ_AT, False),
        ([component("a"), component("b"), problem(None)], 2, READ_AT, False),
    ],
)
def test_a_manifest_takes_deltas_only_if_nothing_in_it_is_uncertain(
    connection: psycopg.Connection,
    entries: Entries,
    total: int | None,
    read_at: datetime | None,
    deltas: bool,
) -> None:
    put_whole(connection, entries, total=total, read_at=read_at)
    known = current_manifest(connection)
    assert known is not None
    assert (known.read_at, known.deltas) == (read_at, deltas)
    assert put_delta(connection, [component("b", "r3")]) is deltas


def test_a_whole_manifest_after_a_delta_removes_what_it_does_not_list(
    connection: psycopg.Connection,
) -> None:
    put_whole(connection, [component("a"), component("b")])
    assert put_delta(connection, [component("c")], total=3)
    put_whole(connection, [component("c")], total=None)
    assert revisions(connection) == {"c": "r1"}
    assert not put_delta(connection, [], total=1)
