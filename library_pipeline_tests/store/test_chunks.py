"""Chunks: one run at a time, and given back by the server when the run's process is gone."""

from __future__ import annotations

import psycopg

from library_pipeline.store.chunks import (
    MAX_ATTEMPTS,
    Chunk,
    claim,
    finish_chunk,
    lease,
    pending_numbers,
    release_lost_chunks,
)
from library_pipeline.store.database import Database
from library_pipeline.store.refreshes import (
    fail_orphans,
    finish_if_done,
    result,
    unfinished_refreshes,
)
from library_pipeline_tests.store.test_plans import component, plan, put_manifest


def test_a_chunk_is_claimed_once(connection: psycopg.Connection) -> None:
    put_manifest(connection, [component("a", "1")])
    made = plan(connection)
    assert claim(connection, made.refresh_id, 0, "run-1") == Chunk(made.refresh_id, 0, 1)
    assert claim(connection, made.refresh_id, 0, "run-2") is None


def test_a_chunk_under_lease_is_left_alone_and_freed_when_its_holder_is_gone(
    connection: psycopg.Connection, database: Database
) -> None:
    put_manifest(connection, [component("a", "1")])
    made = plan(connection)
    with lease(database, "run-1"):
        claim(connection, made.refresh_id, 0, "run-1")
        assert release_lost_chunks(connection) == []
    (lost,) = release_lost_chunks(connection)
    assert (lost.run_id, lost.given_up) == ("run-1", False)
    assert pending_numbers(connection, made.refresh_id) == [0]


def test_a_chunk_whose_runs_die_again_and_again_is_given_up_and_counted_as_failed(
    connection: psycopg.Connection,
) -> None:
    put_manifest(connection, [component("a", "1"), component("b", "1")])
    made = plan(connection)
    for attempt in range(MAX_ATTEMPTS):
        assert claim(connection, made.refresh_id, 0, f"run-{attempt}")
        (lost,) = release_lost_chunks(connection)
    assert lost.given_up
    assert finish_if_done(connection, made.refresh_id)
    done = result(connection, made.refresh_id)
    assert done.counts.failed == 2
    assert done.error == "2 components were not reached: their runs died again and again"
    assert not done.ok


def test_a_refresh_is_finished_by_whoever_finishes_its_last_chunk(
    connection: psycopg.Connection,
) -> None:
    put_manifest(connection, [component(name, "1") for name in "abc"])
    made = plan(connection)
    one, two = (claim(connection, made.refresh_id, number, "run") for number in made.chunks)
    assert one and two
    finish_chunk(connection, two)
    assert not finish_if_done(connection, made.refresh_id)
    finish_chunk(connection, one)
    assert finish_if_done(connection, made.refresh_id)
    assert not finish_if_done(connection, made.refresh_id)
    assert unfinished_refreshes(connection) == []


def test_a_refresh_whose_process_is_gone_is_closed_and_one_under_way_is_not(
    connection: psycopg.Connection, database: Database
) -> None:
    put_manifest(connection, [component("a", "1")])
    gone, under_way = plan(connection), plan(connection)
    with lease(database, under_way.refresh_id):
        assert fail_orphans(connection) == [gone.refresh_id]
        assert unfinished_refreshes(connection) == [under_way.refresh_id]
    assert "left to the next refresh" in str(result(connection, gone.refresh_id).error)
