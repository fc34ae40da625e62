"""Chunks: one run at a time, and given back by the server when the run's process is gone."""

from __future__ import annotations

import psycopg

from library_pipeline.database.connection import Database, lease
from library_pipeline.refresh.chunks import (
    MAX_ATTEMPTS,
    Chunk,
    claim,
    finish_chunk,
    lost_chunks,
    next_chunk,
    release_chunk,
)
from library_pipeline.refresh.closing import cancel_refresh, finish_if_done
from library_pipeline.refresh.log import orphans, read_result, unfinished_ids
from library_pipeline_tests.support.plans import component, plan, put_manifest


def test_a_chunk_is_claimed_once(connection: psycopg.Connection) -> None:
    put_manifest(connection, [component("a", "1")])
    made = plan(connection)
    assert claim(connection, made.refresh_id, 0, "run-1") == Chunk(made.refresh_id, 0, 1, 1)
    assert claim(connection, made.refresh_id, 0, "run-2") is None


def test_a_chunk_under_lease_is_left_alone_and_freed_when_its_holder_is_gone(
    connection: psycopg.Connection, database: Database
) -> None:
    put_manifest(connection, [component("a", "1")])
    made = plan(connection)
    with lease(database, "run-1"):
        claim(connection, made.refresh_id, 0, "run-1")
        assert lost_chunks(connection) == []
    (lost,) = lost_chunks(connection)
    assert lost.run_id == "run-1"
    assert release_chunk(connection, lost)
    assert next_chunk(connection, made.refresh_id) == 0


def test_a_chunk_whose_runs_die_again_and_again_is_given_up_and_its_refresh_fails(
    connection: psycopg.Connection,
) -> None:
    put_manifest(connection, [component("a", "1"), component("b", "1")])
    made = plan(connection)
    for attempt in range(MAX_ATTEMPTS):
        assert claim(connection, made.refresh_id, 0, f"run-{attempt}")
        (lost,) = lost_chunks(connection)
        again = release_chunk(connection, lost)
    assert not again
    assert finish_if_done(connection, made.refresh_id)
    done = read_result(connection, made.refresh_id)
    assert (done.state, done.counts.unreached, done.counts.failed) == ("failed", 2, 0)
    assert "2 components were not reached: their runs died again and again" in str(done.error)
    assert done.run_ids == ("run-0", "run-1", "run-2")


def test_a_refresh_is_finished_by_whoever_finishes_its_last_chunk(
    connection: psycopg.Connection,
) -> None:
    put_manifest(connection, [component(name, "1") for name in "abc"])
    made = plan(connection)
    one, two = (claim(connection, made.refresh_id, number, "run") for number in made.chunks)
    assert one and two
    connection.execute("update pipeline.refresh_component set outcome = 'new'")
    finish_chunk(connection, two)
    assert not finish_if_done(connection, made.refresh_id)
    finish_chunk(connection, one)
    assert finish_if_done(connection, made.refresh_id)
    assert not finish_if_done(connection, made.refresh_id)
    assert unfinished_ids(connection) == []


def test_a_refresh_whose_process_is_gone_is_an_orphan_and_one_under_way_is_not(
    connection: psycopg.Connection, database: Database
) -> None:
    put_manifest(connection, [component("a", "1")])
    gone, under_way = plan(connection), plan(connection)
    with lease(database, under_way.refresh_id):
        assert orphans(connection) == [gone.refresh_id]


def test_a_cancelled_refresh_ends_with_its_running_chunk_and_begins_no_other(
    connection: psycopg.Connection,
) -> None:
    put_manifest(connection, [component(name, "1") for name in "abcde"])
    made = plan(connection)
    first = claim(connection, made.refresh_id, 0, "run")
    assert first and cancel_refresh(connection, made.refresh_id)
    assert next_chunk(connection, made.refresh_id) is None
    connection.execute("update pipeline.refresh_component set outcome = 'new' where chunk = 0")
    finish_chunk(connection, first)
    assert finish_if_done(connection, made.refresh_id)
    done = read_result(connection, made.refresh_id)
    assert (done.state, done.counts.new, done.counts.unreached) == ("cancelled", 2, 3)
    assert done.error == "it was cancelled; 3 components are left to the next refresh"
    assert not cancel_refresh(connection, made.refresh_id)
    assert plan(connection).planned == 5  # nothing is left to a refresh that is over


def test_what_another_refresh_has_yet_to_do_is_left_to_it(connection: psycopg.Connection) -> None:
    put_manifest(connection, [component(name, "1") for name in "abc"])
    first = plan(connection)
    second = plan(connection, "full")
    assert (first.planned, second.planned) == (3, 0)
    finish_if_done(connection, second.refresh_id)
    assert read_result(connection, second.refresh_id).counts.elsewhere == 3


def test_what_an_earlier_attempt_has_done_is_counted_by_the_next(
    connection: psycopg.Connection,
) -> None:
    put_manifest(connection, [component(name, "1") for name in "ab"])
    made = plan(connection)
    claim(connection, made.refresh_id, 0, "run-1")
    connection.execute(
        "update pipeline.refresh_component set outcome = 'new' where component_id = 'a'"
    )
    release_chunk(connection, lost_chunks(connection)[0])
    claim(connection, made.refresh_id, 0, "run-2")
    row = connection.execute("select planned, stored, phase from library.refresh").fetchone()
    assert row == (2, 1, "downloading")
