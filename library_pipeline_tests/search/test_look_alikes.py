"""Look-alikes: what is stored equals a brute force, however the vectors came in."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import psycopg

from library_pipeline.index.activation import free_encoder
from library_pipeline.index.encoders import active_encoders, known_encoders
from library_pipeline.refresh.garbage import delete_unneeded
from library_pipeline.search.look_alikes import (
    ComparisonResult,
    compare_new,
    read_comparison_state,
)
from library_pipeline.search.nearest import NO_PAIRS, nearest_neighbours, nearest_pairs
from library_pipeline_tests.support.screenshots import Vectors, clustered, digest
from library_pipeline_tests.support.vectors import put_vectors

Found = dict[tuple[str, str], float]


def stored(connection: psycopg.Connection) -> Found:
    rows = connection.execute(
        """select least(screenshot_sha256, other_sha256),
                  greatest(screenshot_sha256, other_sha256), similarity from library.look_alike"""
    )
    return {(one, other): similarity for one, other, similarity in rows}


def brute_force(vectors: Vectors, floor: float = 0.9, kept: int = 50) -> Found:
    """Return the pairs that should be kept, the plain way."""
    halves = vectors.astype(np.float16).astype(np.float64)
    halves /= np.linalg.norm(halves, axis=1, keepdims=True)
    cosines = halves @ halves.T
    np.fill_diagonal(cosines, -1)
    best = np.argsort(-cosines, axis=1, kind="stable")[:, :kept]
    pairs = {
        tuple(sorted((digest(row), digest(int(other))))): float(cosines[row, other])
        for row in range(len(vectors))
        for other in best[row]
        if cosines[row, other] >= floor
    }
    return {(one, other): cosine for (one, other), cosine in pairs.items()}


def assert_same(found: Found, expected: Found) -> None:
    """Cosines that are all but equal may stand in each other's place."""
    assert abs(len(found) - len(expected)) <= 0.001 * len(expected)
    common = found.keys() & expected.keys()
    assert len(common) >= 0.999 * len(expected)
    assert max(abs(found[each] - expected[each]) for each in common) < 1e-5


def test_pairs_are_those_of_a_brute_force(connection: psycopg.Connection) -> None:
    vectors = clustered(1500)
    put_vectors(connection, vectors)
    encoder = active_encoders(connection)[0]
    done = compare_new(connection, encoder)
    expected = brute_force(vectors)
    # The 50 best cut this short, or it would say nothing about them.
    assert len(expected) < len(brute_force(vectors, kept=2000))
    assert_same(stored(connection), expected)
    assert done == ComparisonResult(1500, len(stored(connection)))


def test_increments_end_where_one_whole_run_does(connection: psycopg.Connection) -> None:
    vectors = clustered(1200)
    for start, stop in ((0, 700), (700, 703), (703, 703), (703, 1200)):
        encoder = put_vectors(connection, vectors[start:stop], start)
        assert read_comparison_state(connection, encoder).waiting == stop - start
        done = compare_new(connection, encoder)
        assert (done.fresh if done else 0) == stop - start
    assert_same(stored(connection), brute_force(vectors))
    assert read_comparison_state(connection, encoder).waiting == 0


def test_dense_blocks_keep_the_best_pairs_and_little_memory() -> None:
    """All 3,000 look the same: 4.5 million pairs, of which the best of each are kept."""
    random = np.random.default_rng(0)
    vectors = (np.ones(16) + 0.02 * random.standard_normal((3000, 16))).astype(np.float16)
    found = nearest_pairs(vectors, np.ones(3000, bool), NO_PAIRS, floor=0.9, kept=5)
    places, cosines = nearest_neighbours(vectors, vectors, 6)
    by_place = np.full(3000, 1.0, np.float32)
    np.minimum.at(by_place, found.a, found.similarity)
    counts = np.bincount(np.concatenate([found.a, found.b]), minlength=3000)
    assert counts.min() >= 5
    assert len(found) <= 3000 * 5
    assert (places[:, 0] == np.arange(3000)).mean() > 0.95
    kept = {(int(a), int(b)) for a, b in zip(found.a, found.b, strict=True)}
    for place in range(0, 3000, 97):
        nearest = [int(other) for other in places[place] if other != place][:4]
        assert all((min(place, other), max(place, other)) in kept for other in nearest)
    assert (np.diff(cosines, axis=1) <= 0).all()


def test_pairs_go_with_their_screenshots_and_encoders(connection: psycopg.Connection) -> None:
    vectors = clustered(60)
    encoder = put_vectors(connection, vectors)
    compare_new(connection, encoder)
    assert stored(connection)
    connection.execute(
        """insert into pipeline.component
           select number, number, '1', '', '', '', '{}', null, '', '', '', digest
           from unnest(%s::text[]) with ordinality shown (digest, number)""",
        ([digest(number) for number in range(30)],),
    )
    day = timedelta(days=1)
    with connection.transaction():
        assert delete_unneeded(connection, keep_removed=day, keep_log=day).screenshots == 30
    assert_same(stored(connection), brute_force(vectors[:30]))
    assert read_comparison_state(connection, encoder).compared == 30
    connection.execute("update pipeline.encoder set active = false")
    free_encoder(connection, known_encoders(connection)[0])
    for table in ("look_alike", "compared", "atlas"):
        rows = connection.execute(f"select count(*) from pipeline.{table}").fetchone()  # type: ignore[arg-type]
        assert rows == (0,)


def test_a_pair_whose_screenshot_is_gone_stops_no_comparison(
    connection: psycopg.Connection,
) -> None:
    """Pairs have no foreign keys: a restored or truncated table must not fail every refresh."""
    vectors = clustered(60)
    encoder = put_vectors(connection, vectors[:40])
    compare_new(connection, encoder)
    connection.execute(
        "delete from pipeline.compared where number in (select b from pipeline.look_alike)"
    )
    put_vectors(connection, vectors[40:], 40)
    compare_new(connection, encoder)
    assert_same(stored(connection), brute_force(vectors))
