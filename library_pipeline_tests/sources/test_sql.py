"""An SQL query as a source, on a real server: reads in pages, changes nothing, tells no secret."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from library_pipeline.catalog.errors import ManifestError
from library_pipeline.database.connection import Database
from library_pipeline.sources.http.connection import CmsConnection
from library_pipeline.sources.source import NotModified, OpenSource
from library_pipeline.sources.sql import sql_source
from library_pipeline_tests.support.local_sources import (
    FakeMapping,
    components,
    entries,
    problems,
    settings,
)

ASSETS = "select id, title, image, price from asset where client = 'north' order by id"


@pytest.fixture(autouse=True)
def assets(connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven assets, five of them of the client `north`."""
    connection.execute(
        "create table asset (id int, title text, client text, image text, price numeric);"
        "insert into asset select n, 'hat ' || n, case when n < 6 then 'north' else 'south' end,"
        " 'https://cdn.example.com/' || n || '.png', n * 0.5 from generate_series(1, 7) n"
    )
    connection.execute(
        "create function emptied() returns int language sql as 'delete from asset; select 1'"
    )


@pytest.fixture(autouse=True)
def variable(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSETS_DATABASE", database.url)


def rows(sql: str = ASSETS, **keys: Any) -> AbstractContextManager[OpenSource]:
    keys = {"database_env": "ASSETS_DATABASE"} | keys
    connection = CmsConnection(base_url="https://cdn.example.com")
    source = settings("sql", sql=sql, **keys)
    return sql_source(source, mapping=FakeMapping, connection=connection).open()


def count(connection: psycopg.Connection) -> int:
    row = connection.execute("select count(*) from asset").fetchone()
    return row[0] if row else 0


def test_rows_come_in_pages_as_objects_of_their_columns() -> None:
    with rows(page_size=2) as source:
        pages = list(source.pages())
    assert [len(page.entries) for page in pages] == [2, 2, 1]
    assert components(rows())["hat 2"].component_id == "shop:2"
    assert components(rows())["hat 2"].revision == "hat 2 1.0"


def test_a_query_may_hold_percent_signs_comments_and_a_semicolon() -> None:
    sql = "-- all\nselect * from asset where title like '%1' and client <> ';' -- hats\n;\n"
    assert list(components(rows(sql))) == ["hat 1"]
    assert list(components(rows("with a as (select * from asset) select * from a limit 1")))


def test_the_etag_is_that_of_the_rows(connection: psycopg.Connection) -> None:
    with rows() as source:
        list(source.pages())
        known = source.etag
        connection.execute("update asset set title = 'cap' where client = 'south'")
        assert not source.changed(known)
        with pytest.raises(NotModified):
            next(source.pages(known))
        connection.execute("update asset set title = 'cap' where id = 1")
        assert source.changed(known)
        connection.execute("update asset set title = 'hat 1' where id = 1")
        assert not source.changed(known)
        connection.execute("delete from asset where id = 1")
        assert [len(page.entries) for page in source.pages(known)] == [4]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("delete from asset returning *", "must be one SELECT statement, not 'delete'"),
        ("/* select */ Drop table asset", "must be one SELECT statement, not 'Drop'"),
        ("with d as (delete from asset returning *) select * from d", "data-modifying"),
        ("select emptied() as id", "cannot execute DELETE in a read-only transaction"),
        ("select set_config('transaction_read_only', 'off', true)", "read-write mode must be set"),
        ("select 1; delete from asset", "syntax error|multiple commands"),
        ("select 1) x; commit; delete from asset; select (1", "syntax error|multiple commands"),
        (  # what would be whole statements, put into ours
            "select 1 as a) as b) as c; delete from asset; select 1 from (select 1 from (select 1",
            "cannot insert multiple commands",
        ),
        ("select id from nothing", 'relation "nothing" does not exist'),
        ("select * from asset for update", "cannot execute SELECT FOR UPDATE"),
    ],
)
def test_a_query_that_is_not_only_one_select_fails_and_changes_nothing(
    connection: psycopg.Connection, sql: str, message: str
) -> None:
    for ask in (entries, _poll):
        with pytest.raises(ManifestError, match=message) as caught:
            ask(rows(sql))
        assert caught.value.code == "manifest.query"
        assert "source shop" in caught.value.message
    assert count(connection) == 7


def _poll(source: AbstractContextManager[OpenSource]) -> None:
    with source as opened:
        opened.changed("x")


def test_a_query_that_takes_too_long_is_broken_off() -> None:
    with pytest.raises(ManifestError, match="more than 0.2 seconds .*raise its timeout_sec") as e:
        entries(rows("select pg_sleep(60)", timeout_seconds=0.2))
    assert e.value.transient


def test_more_rows_than_max_items_are_an_error_that_names_the_key() -> None:
    with pytest.raises(ManifestError, match="lists more than 4 items; raise its max_items"):
        entries(rows(max_items=4))


def test_files_elsewhere_are_refused() -> None:
    sql = "select 1 as id, 'file:///etc/passwd' as image"
    assert [problem.code for problem in problems(rows(sql))] == ["manifest.bad_scheme"]
    source = sql_source(
        settings("sql", sql=ASSETS, database_env="ASSETS_DATABASE"), mapping=FakeMapping
    )
    assert {problem.code for problem in problems(source.open())} == {"manifest.foreign_origin"}


def test_a_connection_that_is_lost_is_a_transient_error(connection: psycopg.Connection) -> None:
    with rows() as source:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'library-pipeline' and pid <> pg_backend_pid()"
        )
        with pytest.raises(ManifestError) as caught:
            list(source.pages())
    assert (caught.value.code, caught.value.transient) == ("manifest.unreachable", True)


def test_the_connection_string_may_be_in_a_file(database: Database, tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"{database.url}\n")
    assert len(components(rows(database_env=None, database_file=tmp_path / "url"))) == 5
    with pytest.raises(ManifestError, match="file .*gone, which database_file names, cannot be"):
        entries(rows(database_env=None, database_file=tmp_path / "gone"))


@pytest.mark.parametrize(
    "conninfo",
    [
        "postgresql://reader:hunter2@127.0.0.1:1/assets",
        "postgresql://reader:hunter2@127.0.0.1:not-a-port/assets",
        "postgresql+psycopg://reader:hunter2@127.0.0.1/assets",
        "host=127.0.0.1 port=1 password=hunter2 nonsense",
        "host=hunter2 port=1 password=hunter2",
        "postgresql://reader:hunter2%zz@127.0.0.1/assets",
    ],
)
def test_no_error_shows_the_password(monkeypatch: pytest.MonkeyPatch, conninfo: str) -> None:
    monkeypatch.setenv("ASSETS_DATABASE", conninfo)
    with pytest.raises(ManifestError) as caught:
        entries(rows())
    shown = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.message}"
    assert not re.search("hunter2", shown)
    assert caught.value.__suppress_context__


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASSETS_DATABASE")
    with pytest.raises(ManifestError, match="ASSETS_DATABASE, which database_env names, is not"):
        entries(rows())
