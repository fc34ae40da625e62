"""Health: each question finds what is wrong, names it, and is content with what is well."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from psycopg import sql

from library_pipeline.index.ann import ensure_ann_index
from library_pipeline.index.embeddings import embedding_table
from library_pipeline.index.health import (
    NORM_TOLERANCE,
    Finding,
    ann_recall,
    embedding_coverage,
    freshness,
    removals_held,
    vector_norms,
)
from library_pipeline_tests.support.plans import (
    component,
    encoder_of,
    put_failure,
    put_indexed,
    put_manifest,
)
from library_pipeline_tests.support.vectors import clustered, digests, put_vectors

DAY = timedelta(days=1)


def test_searchable_components_without_a_vector_are_named(connection: psycopg.Connection) -> None:
    encoder = encoder_of(connection)
    put_indexed(connection, encoder, "a", "1")
    assert embedding_coverage(connection, encoder) == Finding(
        True, "all 1 components have a vector of clip", {"components": 1, "without_vector": 0}
    )
    for name in ("gone", *(f"b{number:02}" for number in range(12))):
        put_indexed(connection, encoder, name, "1", embedded=False)
    connection.execute(
        "update pipeline.component set removed_at = now() where component_id = 'gone'"
    )
    found = embedding_coverage(connection, encoder)
    assert not found.ok
    assert found.numbers == {"components": 13, "without_vector": 12}
    assert found.examples == tuple(f"b{number:02}" for number in range(10))
    assert found.summary.startswith("12 of 13 components have no vector of clip: b00, b01,")


def test_rounding_to_halves_is_no_deviation_from_norm_1(connection: psycopg.Connection) -> None:
    encoder = put_vectors(connection, clustered(500))
    found = vector_norms(connection, encoder)
    assert found.ok
    assert found.numbers["vectors"] == 500
    assert 0 < found.numbers["largest_deviation"] < NORM_TOLERANCE / 2


@pytest.mark.parametrize("factor", [0.0, 0.998, 1.002])
def test_a_vector_that_is_not_normalized_is_named(
    connection: psycopg.Connection, factor: float
) -> None:
    vectors = clustered(5)
    vectors[2] *= factor
    found = vector_norms(connection, put_vectors(connection, vectors))
    assert not found.ok
    assert found.numbers["off"] == 1
    assert found.examples == (digests(3)[2],)


def test_recall_is_that_of_the_index_that_is_there(connection: psycopg.Connection) -> None:
    encoder = put_vectors(connection, clustered(3000))
    none = ann_recall(connection, encoder)
    assert (none.ok, none.summary) == (True, "clip has no ANN index; search is exact")

    ensure_ann_index(connection, encoder, ann_from=0)
    found = ann_recall(connection, encoder)
    assert found.ok
    assert found.numbers["sampled"] == 50

    poorer = sql.SQL(
        """drop index pipeline.{index};
           create index {index} on {table}
           using hnsw (vector halfvec_cosine_ops) with (m = 2, ef_construction = 4)"""
    )
    index = sql.Identifier(f"embedding_{encoder.id}_ann")
    connection.execute(poorer.format(index=index, table=embedding_table(encoder.id)))
    poor = ann_recall(connection, encoder)
    assert not poor.ok
    assert poor.numbers["recall"] < 0.98


def test_recall_counts_equal_screenshots_as_equal(connection: psycopg.Connection) -> None:
    vectors = clustered(400)
    vectors[:300] = vectors[0]
    encoder = put_vectors(connection, vectors)
    ensure_ann_index(connection, encoder, ann_from=0)
    assert ann_recall(connection, encoder).numbers["recall"] == 1.0


def test_what_is_neither_indexed_nor_failed_is_behind(connection: psycopg.Connection) -> None:
    assert freshness(connection).summary == "the CMS's manifest has never been read"
    encoder = encoder_of(connection)
    put_manifest(connection, [component(name, "2") for name in ("a", "b", "c", "d", "e")])
    put_indexed(connection, encoder, "a", "2")
    put_indexed(connection, encoder, "b", "1")
    put_failure(connection, "b", "2", due=False)
    put_indexed(connection, encoder, "c", "1")
    put_failure(connection, "c", "1", due=False)
    put_indexed(connection, encoder, "d", "2")
    connection.execute("update pipeline.component set removed_at = now() where component_id = 'd'")
    found = freshness(connection, max_age=DAY)
    assert not found.ok
    assert found.numbers.items() >= {"listed": 5, "behind": 3, "failed": 1}.items()
    assert found.summary.startswith("3 of 5 listed components are behind, 1 failed; the manifest")


def test_a_manifest_that_was_read_too_long_ago_is_not_fresh(
    connection: psycopg.Connection,
) -> None:
    put_manifest(connection, [component("a", "1")])
    put_indexed(connection, encoder_of(connection), "a", "1")
    assert freshness(connection, max_age=DAY).ok
    connection.execute("update pipeline.manifest set fetched_at = now() - interval '25 hours'")
    found = freshness(connection, max_age=DAY)
    assert not found.ok
    assert found.summary.endswith("read 1 day, 1:00:00 ago, longer than 1 day, 0:00:00")
    assert freshness(connection).ok


def test_a_removal_without_approval_is_held(connection: psycopg.Connection) -> None:
    for name in "ab":
        put_indexed(connection, encoder_of(connection), name, "1")
    assert removals_held(connection).ok
    connection.execute(
        """insert into pipeline.removal_hold values ('a', 'r', '2026-05-01T12:00Z', null),
                                                    ('b', 'r', '2026-05-01T12:00Z', now())"""
    )
    found = removals_held(connection)
    assert (found.ok, found.examples) == (False, ("a",))
    assert found.summary == (
        "1 of 2 components left the CMS and wait for approval to be removed, "
        "since 2026-05-01 12:00 UTC: a"
    )
