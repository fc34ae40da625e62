"""Borrowed connections: as good as new ones, whatever became of the server or the last borrower."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest
from psycopg.rows import dict_row

from library_pipeline.database.connection import WAIT_SECONDS, Database, pooled
from library_pipeline_tests.support.databases import running_server
from library_pipeline_tests.support.embedded_processes import kill_postgres


@pytest.fixture
def kept(database: Database) -> Iterator[Database]:
    with pooled(database, 2) as kept:
        yield kept


def backend(database: Database) -> int:
    with database.connect() as connection:
        return connection.info.backend_pid


def another_backend(kept: Database, before: int, seconds: float) -> int:
    """Return the first that answers but `before`, which outlives its postmaster for a moment."""
    deadline = time.monotonic() + seconds
    while True:
        assert time.monotonic() < deadline
        with suppress(psycopg.OperationalError):
            if (now := backend(kept)) != before:
                return now


def test_connections_are_used_again(kept: Database) -> None:
    assert len({backend(kept) for _ in range(20)}) <= 2


def test_a_dedicated_connection_is_nobody_elses(kept: Database) -> None:
    with kept.dedicated() as own:
        assert own.info.backend_pid not in {backend(kept) for _ in range(10)}
    assert own.closed


def test_nothing_of_a_borrower_is_left_to_the_next(database: Database) -> None:
    with pooled(database, 1) as kept:
        with kept.connect() as first:
            pid = first.info.backend_pid
            first.execute("set statement_timeout = '7s'")
            first.execute("set application_name = 'mine'")
            first.execute("set role pg_monitor")
            first.execute("create temp table mine (n integer)")
            first.execute("listen library_refresh")
            first.execute("select pg_advisory_lock(7)")
            first.row_factory = dict_row  # type: ignore[assignment]
            first.autocommit = False
            first.execute("select 1")
        with kept.connect() as second:
            assert second.info.backend_pid == pid
            assert second.autocommit
            state = second.execute(
                """select current_setting('statement_timeout'), current_setting('application_name'),
                          current_user = session_user, to_regclass('mine'),
                          (select count(*) from pg_listening_channels()),
                          (select count(*) from pg_locks where locktype = 'advisory'
                             and pid = pg_backend_pid())"""
            ).fetchone()
    assert state == ("0", "library-pipeline", True, None, 0, 0)


def test_an_unfinished_transaction_is_rolled_back(database: Database) -> None:
    with pooled(database, 1) as kept:
        with pytest.raises(ZeroDivisionError), kept.connect() as connection:
            connection.execute("begin")
            connection.execute("create table half_done (n integer)")
            raise ZeroDivisionError
        with kept.connect() as connection:
            row = connection.execute("select to_regclass('half_done')").fetchone()
    assert row == (None,)


def test_what_is_asked_again_stays_prepared(database: Database) -> None:
    with pooled(database, 1) as kept:
        for number in range(8):
            with kept.connect() as connection:
                connection.execute("select %s::integer", (number,))
        with kept.connect() as connection:
            row = connection.execute("select count(*) from pg_prepared_statements").fetchone()
    assert row == (1,)


def test_connections_that_the_server_ended_are_not_lent(
    database: Database, connection: psycopg.Connection
) -> None:
    with pooled(database, 4) as kept:
        with kept.connect(), kept.connect(), kept.connect(), kept.connect():
            pass
        ended = connection.execute(
            """select count(pg_terminate_backend(pid)) from pg_stat_activity
               where datname = current_database() and pid <> pg_backend_pid()"""
        ).fetchone()
        assert ended is not None and ended[0] >= 2
        started = time.monotonic()
        for _ in range(10):
            with kept.connect() as borrowed:
                assert borrowed.execute("select 1").fetchone() == (1,)
        assert time.monotonic() - started < 1


def test_who_gets_no_connection_is_told_so_shortly(database: Database) -> None:
    with pooled(database, 1) as kept, kept.connect():
        started = time.monotonic()
        with pytest.raises(psycopg.OperationalError), kept.connect():
            pass
        assert WAIT_SECONDS - 0.5 < time.monotonic() - started < WAIT_SECONDS + 2


def test_a_server_that_dies_and_comes_back_is_connected_to_again() -> None:
    with (
        running_server() as (home, server),
        pooled(Database(server.url("postgres"), ""), 4) as kept,
    ):
        before = backend(kept)
        kill_postgres(home)
        assert another_backend(kept, before, seconds=30)
