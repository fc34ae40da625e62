"""The ANN index: built when it is due, once, while everything else goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.database.connection import Database
from library_pipeline.index.ann import (
    AnnIndex,
    ann_index_ready,
    drop_for_bulk_load,
    ensure_ann_index,
)
from library_pipeline.index.embeddings import embedding_table
from library_pipeline.search.ranking import Question, search
from library_pipeline_tests.support.vectors import clustered, put_library, put_vectors


@contextmanager
def writing(database: Database, encoder: EncoderInfo) -> Iterator[None]:
    """Keep a transaction open that has written vectors: a build waits until it is over."""
    with database.connect() as other, other.transaction():
        lock = sql.SQL("lock table {} in row exclusive mode")
        other.execute(lock.format(embedding_table(encoder.id)))
        yield


def wait_for_the_build(connection: psycopg.Connection) -> None:
    """Return once some build has begun, so that the index is there but not valid."""
    begun = "select from pg_index where not indisvalid"
    deadline = time.monotonic() + 10
    while connection.execute(begun).fetchone() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_index_is_built_when_there_are_enough_vectors(connection: psycopg.Connection) -> None:
    encoder = put_vectors(connection, clustered(100))
    assert ensure_ann_index(connection, encoder, ann_from=101) == AnnIndex("too_few", 100)
    assert not ann_index_ready(connection, encoder)
    built = ensure_ann_index(connection, encoder, ann_from=100)
    assert (built.state, built.vectors) == ("built", 100)
    assert built.seconds > 0
    assert ensure_ann_index(connection, encoder) == AnnIndex("present", 100)
    changed = connection.execute("select name, setting from pg_settings where source = 'session'")
    assert changed.fetchall() == []


def test_what_a_killed_build_left_is_not_used_and_built_again(
    connection: psycopg.Connection, database: Database
) -> None:
    encoder = put_vectors(connection, clustered(100))
    with writing(database, encoder), database.connect() as doomed, ThreadPoolExecutor(1) as pool:
        building = pool.submit(ensure_ann_index, doomed, encoder, ann_from=0)
        wait_for_the_build(connection)
        connection.execute("select pg_terminate_backend(%s)", (doomed.info.backend_pid,))
        with pytest.raises(psycopg.OperationalError, match="terminating connection"):
            building.result()
    assert not ann_index_ready(connection, encoder)
    assert ensure_ann_index(connection, encoder, ann_from=0).state == "built"
    assert ann_index_ready(connection, encoder)


def test_one_builds_while_others_search_and_a_second_builder_returns_at_once(
    connection: psycopg.Connection, database: Database
) -> None:
    vectors = clustered(100)
    encoder = put_library(connection, vectors)
    with database.connect() as first, ThreadPoolExecutor(1) as pool:
        with writing(database, encoder):
            building = pool.submit(ensure_ann_index, first, encoder, ann_from=0)
            wait_for_the_build(connection)
            assert ensure_ann_index(connection, encoder, ann_from=0) == AnnIndex("busy")
            assert not drop_for_bulk_load(connection, encoder, 1_000)
            assert search(connection, [Question(encoder, vectors[3])], k=1)[0].component_id == "3"
            assert not building.done()
        assert building.result().state == "built"


def test_the_index_makes_way_for_a_load_of_more_than_a_quarter(
    connection: psycopg.Connection,
) -> None:
    vectors = clustered(100)
    encoder = put_library(connection, vectors)
    assert not drop_for_bulk_load(connection, encoder, 1_000)
    ensure_ann_index(connection, encoder, ann_from=0)
    assert not drop_for_bulk_load(connection, encoder, 25)
    assert drop_for_bulk_load(connection, encoder, 26)
    assert not ann_index_ready(connection, encoder)
    assert search(connection, [Question(encoder, vectors[3])], k=1)[0].component_id == "3"
    assert ensure_ann_index(connection, encoder, ann_from=0).state == "built"


def test_a_connection_that_cannot_build_concurrently_is_refused(
    connection: psycopg.Connection,
) -> None:
    encoder = put_vectors(connection, clustered(10))
    with (
        connection.transaction(),
        pytest.raises(ValueError, match=rf"embedding_{encoder.id}_ann .* autocommit mode"),
    ):
        ensure_ann_index(connection, encoder)
