"""What the doctor says of databases, and that it leaves nothing behind in them."""

from __future__ import annotations

import time

import pytest

from library_pipeline.cli.doctor.databases import (
    check_dagster,
    check_database,
    judge_pgvector,
    judge_server,
    judge_shared_memory,
)
from library_pipeline.cli.doctor.examination import Check
from library_pipeline.database.connection import Database
from library_pipeline.embedded_server import EmbeddedServer
from library_pipeline.settings import load_settings
from library_pipeline_tests.support.databases import copied_database
from library_pipeline_tests.support.ports import closed_port, silent_port


def looked_at() -> dict[str, Check]:
    return {check.name: check for check in check_database(load_settings())}


def lead_to(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.setenv("LIBRARY_DATABASE_URL", f"postgresql://me:hunter2@{where}/library")
    monkeypatch.setenv(
        "LIBRARY_DAGSTER_DATABASE_URL", f"postgresql+psycopg2://me:hunter2@{where}/dagster"
    )


def test_a_migrated_database_is_ok(database: Database) -> None:
    found = looked_at()
    assert {check.state for check in found.values()} == {"ok"}
    assert found["database"].found.startswith("PostgreSQL 18.")
    assert found["schema"].found == "migrated"
    assert found["pgvector"].found.startswith("0.8.")
    assert list(found) == ["database", "pgvector", "schema", "writable", "dagster database"]


def test_looking_leaves_nothing_behind(database: Database) -> None:
    looked_at()
    with database.connect() as connection:
        schemas = connection.execute(
            "select count(*) from pg_namespace where nspname like '%doctor%'"
        ).fetchone()
    assert schemas == (0,)


def test_an_empty_database_is_ok_and_stays_empty(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The migrations are for the first command that needs them, not for a look."""
    with copied_database(server, "doctors_empty", "template1") as empty:
        monkeypatch.setenv("LIBRARY_DATABASE_URL", empty.url)
        monkeypatch.setenv("LIBRARY_DAGSTER_DATABASE_URL", empty.dagster_url)
        for _ in range(2):
            found = looked_at()
            assert {check.state for check in found.values()} == {"ok"}
            assert "migrations are due: 0001_library" in found["schema"].found
            assert found["pgvector"].found.endswith("not yet in this database")


def test_a_database_of_a_newer_program_is_wrong(database: Database) -> None:
    with database.connect() as connection:
        connection.execute(
            "insert into pipeline.migration (number, name, sha256) values (9999, '9999_x', 'x')"
        )
    schema = looked_at()["schema"]
    assert schema.state == "wrong"
    assert "upgrade library-pipeline" in schema.found


def test_the_embedded_server_is_started_and_named() -> None:
    found = looked_at()
    assert {check.state for check in found.values()} == {"ok"}
    assert str(load_settings().home / "postgres" / "data") in found["embedded server"].found


def test_a_server_that_is_not_there_is_wrong_twice_over_and_shows_no_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lead_to(monkeypatch, f"127.0.0.1:{closed_port()}")
    found = looked_at()
    assert [check.state for check in found.values()] == ["wrong", "wrong"]
    assert "Connection refused" in found["database"].found
    assert "LIBRARY_DATABASE_URL" in (found["database"].way_out or "")
    assert "LIBRARY_DAGSTER_DATABASE_URL" in (found["dagster database"].way_out or "")
    assert "hunter2" not in str(found)


def test_a_server_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with silent_port() as port:
        lead_to(monkeypatch, f"127.0.0.1:{port}")
        started = time.monotonic()
        found = looked_at()
    assert [check.state for check in found.values()] == ["wrong", "wrong"]
    assert time.monotonic() - started < 20


def test_a_database_without_a_second_one_for_dagster_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIBRARY_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/library")
    (check,) = looked_at().values()
    assert check.found == "LIBRARY_DATABASE_URL is set but LIBRARY_DAGSTER_DATABASE_URL is not"


def test_a_read_only_database_is_wrong(database: Database) -> None:
    with database.connect() as connection:
        name = connection.info.dbname
        connection.execute(f"alter database {name} set default_transaction_read_only = on")
    writable = looked_at()["writable"]
    assert writable.state == "wrong"
    assert "it is read-only" in writable.found


def test_a_user_who_may_create_nothing_is_wrong(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.connect() as connection:
        name = connection.info.dbname
        connection.execute("drop role if exists visitor")
        connection.execute("create role visitor login")
        connection.execute("grant usage on schema pipeline to visitor")
        connection.execute("grant select on pipeline.migration to visitor")
    monkeypatch.setenv("LIBRARY_DATABASE_URL", database.url.replace("postgres@", "visitor@"))
    writable = looked_at()["writable"]
    assert writable.state == "wrong"
    assert f"permission denied for database {name}" in writable.found
    assert "grant create on database" in (writable.way_out or "")


def test_a_database_that_may_lose_commits_is_worth_a_warning(database: Database) -> None:
    with database.connect() as connection:
        name = connection.info.dbname
        connection.execute(f"alter database {name} set synchronous_commit = off")
    assert "synchronous_commit off" in looked_at()["durability"].found


def test_a_home_that_cannot_be_made_is_wrong(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home := load_settings().home).write_text("a file where the folder should be")
    (check,) = looked_at().values()
    assert check.state == "wrong"
    assert str(home) in check.found


@pytest.mark.parametrize(
    ("installed", "available", "can_create", "state", "words"),
    [
        ("0.8.1", "0.8.1", True, "ok", "0.8.1"),
        (None, "0.8.1", True, "ok", "not yet in this database"),
        (None, "0.8.1", False, "wrong", "this user may not create it"),
        (None, None, False, "wrong", "the server does not have it"),
        ("0.7.4", "0.8.1", True, "wrong", "0.7.4"),
    ],
)
def test_pgvector_must_be_there_and_new_enough(
    installed: str | None, available: str | None, can_create: bool, state: str, words: str
) -> None:
    check = judge_pgvector(installed, available, can_create=can_create)
    assert (check.state, words in check.found) == (state, True)


def test_an_old_server_is_wrong() -> None:
    assert judge_server(140011, "there").state == "wrong"
    assert judge_server(150001, "there").found == "PostgreSQL 15.1, there"


def test_a_small_shared_memory_is_worth_a_warning() -> None:
    assert [check.state for check in judge_shared_memory(64_000_000)] == ["warning"]
    assert list(judge_shared_memory(8_000_000_000)) == []


def test_dagster_that_never_ran_is_no_fault(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with copied_database(server, "doctors_dagster", "template1") as empty:
        monkeypatch.setenv("LIBRARY_DATABASE_URL", empty.url)
        monkeypatch.setenv("LIBRARY_DAGSTER_DATABASE_URL", server.dagster_url("doctors_dagster"))
        (check,) = check_dagster(load_settings())
        assert (check.state, check.found) == ("ok", "has not run on this library yet")
        with empty.connect() as connection:
            tables = connection.execute("select count(*) from pg_tables where tablename = 'runs'")
            assert tables.fetchone() == (0,)


def test_dagster_without_a_daemon_is_no_fault(database: Database) -> None:
    from library_pipeline.defs.in_process import open_instance

    with open_instance(load_settings(), database):
        pass
    (check,) = check_dagster(load_settings())
    assert check.state == "ok"
    assert "no daemon runs" in check.found


def test_dagster_is_not_judged_where_its_database_is_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lead_to(monkeypatch, f"127.0.0.1:{closed_port()}")
    (check,) = check_dagster(load_settings())
    assert check.state == "skipped"
