"""Search: by the ANN index where it may, with the answers of an exact scan."""

from __future__ import annotations

import numpy as np
import psycopg

from library_pipeline.index.ann import ensure_ann_index
from library_pipeline.search.ranking import Filters, Question, search
from library_pipeline_tests.support.vectors import (
    QUESTIONS,
    clustered,
    digests,
    exact,
    ids,
    mean_hits,
    put_library,
    scans,
)


def test_the_ann_index_finds_what_an_exact_scan_finds(connection: psycopg.Connection) -> None:
    """Recall@10 over questions of which none is a component's own picture."""
    vectors, queries = clustered(3000), clustered(QUESTIONS, seed=2)
    encoder = put_library(connection, vectors)
    assert ensure_ann_index(connection, encoder, ann_from=3000).state == "built"
    with connection.transaction():
        found = [search(connection, [Question(encoder, query)]) for query in queries]
        assert scans(connection, encoder) == QUESTIONS
    hits = [
        len(set(ids(matches)) & set(exact(vectors, query, range(3000))))
        for matches, query in zip(found, queries, strict=True)
    ]
    assert mean_hits(hits, by_graph=True) >= 9.8
    for matches, query in zip(found, queries, strict=True):
        scores = [match.score for match in matches]
        assert scores == sorted(scores, reverse=True)
        expected = [float(vectors[int(match.component_id)] @ query) for match in matches]
        np.testing.assert_allclose(scores, expected, atol=1e-3)


def test_search_is_exact_where_the_ann_index_cannot_answer(
    connection: psycopg.Connection,
) -> None:
    """For a client of few components, for more than it gives, and where many were removed."""
    vectors = clustered(1500)
    query = vectors[7]
    encoder = put_library(connection, vectors)
    ensure_ann_index(connection, encoder, ann_from=0)
    # As with a table so large that the planner would do anything rather than sort it.
    connection.execute("set enable_sort = off")

    south = search(connection, [Question(encoder, query)], filters=Filters(clients=("south",)))
    assert ids(south) == exact(vectors, query, range(0, 1500, 100))
    assert len(search(connection, [Question(encoder, query)], k=1200)) == 1200

    gone = exact(vectors, query, range(1500), k=195)
    connection.execute(
        "update pipeline.component set removed_at = now() where component_id = any(%s)", (gone,)
    )
    left = [number for number in range(1500) if str(number) not in gone]
    assert ids(search(connection, [Question(encoder, query)])) == exact(vectors, query, left)


def test_components_that_share_a_screenshot_are_results_of_their_own_page_by_page(
    connection: psycopg.Connection,
) -> None:
    """Also where far more share it than a page of the ANN index's candidates would hold."""
    vectors = clustered(1000)
    encoder = put_library(connection, vectors)
    ensure_ann_index(connection, encoder, ann_from=0)
    connection.execute(
        """update pipeline.component set screenshot_sha256 = %s where component_id::int < 300""",
        (digests(1)[0],),
    )
    question, others = [Question(encoder, vectors[0])], Filters(excluding=("0",))
    pages = [
        search(connection, question, k=10, skip=skip, filters=others) for skip in range(0, 60, 10)
    ]
    found = [match for page in pages for match in page]
    assert ids(found) == sorted(map(str, range(1, 300)))[:60]
    assert {match.score for match in found} == {found[0].score}


def test_search_leaves_the_connection_as_it_was(connection: psycopg.Connection) -> None:
    """Also inside a transaction: what it sets for itself would slow down what follows."""
    encoder = put_library(connection, clustered(300))
    ensure_ann_index(connection, encoder, ann_from=0)
    with connection.transaction():
        search(connection, [Question(encoder, clustered(1)[0])])
        assert scans(connection, encoder) == 1
        assert connection.execute("show enable_sort").fetchone() == ("on",)
        assert connection.execute("show hnsw.ef_search").fetchone() == ("40",)
