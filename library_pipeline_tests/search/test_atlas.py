"""The map: what is alike lies together, it stays as it is, and no library is too small for it."""

from __future__ import annotations

import numpy as np
import psycopg
import pytest

from library_pipeline.search.atlas import Drawn, draw, umap_is_due
from library_pipeline.search.layout import by_components, by_umap
from library_pipeline.store.atlas import atlas_state, positions
from library_pipeline.store.embeddings import RegisteredEncoder
from library_pipeline_tests.support.screenshots import Vectors, clustered, digest
from library_pipeline_tests.support.vectors import put_vectors


def show(connection: psycopg.Connection, vectors: Vectors, start: int = 0) -> RegisteredEncoder:
    """Index a component `start`, ... for each of `vectors`."""
    encoder = put_vectors(connection, vectors, start)
    connection.execute(
        """insert into pipeline.component
           select %(start)s + number - 1, %(start)s + number - 1, '1', '', '', '', '{}', null,
                  '', '', '', digest
           from unnest(%(shown)s::text[]) with ordinality shown (digest, number)""",
        {"start": start, "shown": [digest(start + number) for number in range(len(vectors))]},
    )
    return encoder


def where(connection: psycopg.Connection, encoder: RegisteredEncoder) -> dict[str, list[float]]:
    digests, found = positions(connection, encoder)
    return dict(zip(digests, found.tolist(), strict=True))


def test_without_umap_a_map_is_there_at_once_and_what_is_new_joins_its_nearest(
    connection: psycopg.Connection,
) -> None:
    vectors = clustered(200)
    encoder = show(connection, vectors[:190])
    assert draw(connection, encoder, umap=False) == Drawn("pca", 190, 190)
    before = where(connection, encoder)
    assert draw(connection, encoder, umap=False) is None
    show(connection, vectors[190:], 190)
    assert draw(connection, encoder, umap=False) == Drawn(None, 200, 10)
    after = where(connection, encoder)
    assert after.items() > before.items()
    # 191 shows what 190 does, which was new as well; both lie where what they are like lies.
    assert after[digest(190)] == pytest.approx(after[digest(191)], abs=1e-6)
    cosines = vectors[190] @ vectors[:190].T
    nearest = np.array([before[digest(int(each))] for each in np.argsort(-cosines)[:3]])
    assert (nearest.min(0) - 1e-6 <= after[digest(190)]).all()
    assert (nearest.max(0) + 1e-6 >= after[digest(190)]).all()
    state = atlas_state(connection, encoder)
    assert (state.shown, state.placed, state.waiting) == (200, 10, 0)
    # Too much more, and the components are found anew.
    show(connection, clustered(40, 0.5), 200)
    assert draw(connection, encoder, umap=False) == Drawn("pca", 240, 40)


@pytest.mark.timeout(600)
@pytest.mark.xdist_group("umap")  # numba compiles UMAP, once a worker
def test_umap_keeps_clusters_together_and_the_map_where_it_was(
    connection: psycopg.Connection,
) -> None:
    vectors = clustered(240, 0.1)
    encoder = show(connection, vectors)
    assert umap_is_due(atlas_state(connection, encoder))
    assert draw(connection, encoder, umap=True) == Drawn("umap", 240, 240)
    assert draw(connection, encoder, umap=False) is None
    found = where(connection, encoder)
    placed = np.array([found[digest(number)] for number in range(240)])
    assert placed.min() >= 0
    assert placed.max() <= 1
    apart = np.linalg.norm(placed[:, None] - placed, axis=2)
    alike = vectors @ vectors.T > 0.8
    np.fill_diagonal(alike, False)
    assert np.median(apart[alike]) < 0.2 * np.median(apart[~alike])
    again = by_umap(vectors.astype(np.float16), placed.astype(np.float32), anew=False)
    assert np.median(np.linalg.norm(again - placed, axis=1)) < 0.12
    same = np.ones((12, 8), np.float16)
    assert np.allclose(by_components(same), 0.5)
    assert np.isfinite(by_umap(same, by_components(same))).all()
    show(connection, clustered(60, 0.5), 240)
    assert draw(connection, encoder, umap=False) == Drawn(None, 300, 60)
    assert umap_is_due(atlas_state(connection, encoder))


def test_the_first_map_is_along_the_two_principal_components() -> None:
    vectors = clustered(300).astype(np.float16)
    whole = vectors.astype(np.float64)
    whole /= np.linalg.norm(whole, axis=1, keepdims=True)
    _, _, axes = np.linalg.svd(whole - whole.mean(0), full_matrices=False)
    expected, found = whole @ axes[:2].T, by_components(vectors)
    for axis in range(2):
        assert abs(np.corrcoef(expected[:, axis], found[:, axis])[0, 1]) > 0.999
    assert (found.min(), found.max()) == pytest.approx((0.02, 0.98))


@pytest.mark.parametrize("count", [1, 2, 3, 11])
def test_few_screenshots_have_a_map_too(connection: psycopg.Connection, count: int) -> None:
    encoder = show(connection, clustered(count))
    assert draw(connection, encoder, umap=True) == Drawn("pca", count, count)
    found = np.array(list(where(connection, encoder).values()))
    assert np.isfinite(found).all()
    assert not umap_is_due(atlas_state(connection, encoder))


def test_an_empty_library_has_no_map(connection: psycopg.Connection) -> None:
    encoder = put_vectors(connection, clustered(5))
    assert draw(connection, encoder, umap=True) is None
