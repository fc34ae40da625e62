"""The map: what is alike lies together, it stays as it is, and no library is too small for it."""

from __future__ import annotations

import sys

import numpy as np
import psycopg
import pytest

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.search.atlas import (
    AtlasUpdate,
    read_atlas_state,
    read_positions,
    update_atlas,
)
from library_pipeline.search.layout import UmapMissing, by_principal_components, by_umap
from library_pipeline_tests.support.screenshots import Vectors, clustered, digest
from library_pipeline_tests.support.vectors import put_vectors


def show(connection: psycopg.Connection, vectors: Vectors, start: int = 0) -> EncoderInfo:
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


def where(connection: psycopg.Connection, encoder: EncoderInfo) -> dict[str, list[float]]:
    digests, found = read_positions(connection, encoder)
    return dict(zip(digests, found.tolist(), strict=True))


def test_without_umap_a_map_is_there_at_once_and_what_is_new_joins_its_nearest(
    connection: psycopg.Connection,
) -> None:
    vectors = clustered(200)
    encoder = show(connection, vectors[:190])
    assert update_atlas(connection, encoder, umap=False) == AtlasUpdate("pca", 190, 190)
    before = where(connection, encoder)
    assert update_atlas(connection, encoder, umap=False) is None
    show(connection, vectors[190:], 190)
    assert update_atlas(connection, encoder, umap=False) == AtlasUpdate(None, 200, 10)
    after = where(connection, encoder)
    assert after.items() > before.items()
    # 191 shows what 190 does, which was new as well; both lie where what they are like lies.
    assert after[digest(190)] == pytest.approx(after[digest(191)], abs=1e-6)
    cosines = vectors[190] @ vectors[:190].T
    nearest = np.array([before[digest(int(each))] for each in np.argsort(-cosines)[:3]])
    assert (nearest.min(0) - 1e-6 <= after[digest(190)]).all()
    assert (nearest.max(0) + 1e-6 >= after[digest(190)]).all()
    state = read_atlas_state(connection, encoder)
    assert (state.shown, state.placed, state.waiting) == (200, 10, 0)
    # Too much more, and the components are found anew.
    show(connection, clustered(40, 0.5), 200)
    assert update_atlas(connection, encoder, umap=False) == AtlasUpdate("pca", 240, 40)


@pytest.mark.timeout(600)
@pytest.mark.xdist_group("umap")  # numba compiles UMAP, once a worker
def test_umap_keeps_clusters_together_and_the_map_where_it_was(
    connection: psycopg.Connection,
) -> None:
    vectors = clustered(240, 0.1)
    encoder = show(connection, vectors)
    assert read_atlas_state(connection, encoder).umap_is_due
    assert update_atlas(connection, encoder, umap=True) == AtlasUpdate("umap", 240, 240)
    assert update_atlas(connection, encoder, umap=False) is None
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
    assert np.allclose(by_principal_components(same), 0.5)
    assert np.isfinite(by_umap(same, by_principal_components(same))).all()
    show(connection, clustered(60, 0.5), 240)
    assert update_atlas(connection, encoder, umap=False) == AtlasUpdate(None, 300, 60)
    assert read_atlas_state(connection, encoder).umap_is_due


def test_the_first_map_is_along_the_two_principal_components() -> None:
    vectors = clustered(300).astype(np.float16)
    whole = vectors.astype(np.float64)
    whole /= np.linalg.norm(whole, axis=1, keepdims=True)
    _, _, axes = np.linalg.svd(whole - whole.mean(0), full_matrices=False)
    expected, found = whole @ axes[:2].T, by_principal_components(vectors)
    for axis in range(2):
        assert abs(np.corrcoef(expected[:, axis], found[:, axis])[0, 1]) > 0.999
    assert (found.min(), found.max()) == pytest.approx((0.02, 0.98))


@pytest.mark.parametrize("count", [1, 2, 3, 11])
def test_few_screenshots_have_a_map_too(connection: psycopg.Connection, count: int) -> None:
    encoder = show(connection, clustered(count))
    assert update_atlas(connection, encoder, umap=True) == AtlasUpdate("pca", count, count)
    found = np.array(list(where(connection, encoder).values()))
    assert np.isfinite(found).all()
    assert not read_atlas_state(connection, encoder).umap_is_due


def test_an_empty_library_has_no_map(connection: psycopg.Connection) -> None:
    encoder = put_vectors(connection, clustered(5))
    assert update_atlas(connection, encoder, umap=True) is None


def test_a_layout_without_umap_says_what_to_install_and_changes_nothing(
    connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The extra is optional: the first map and additions to it do without."""
    monkeypatch.setitem(sys.modules, "umap", None)  # the import fails
    vectors = clustered(60)
    encoder = show(connection, vectors[:58])
    assert update_atlas(connection, encoder, umap=False) == AtlasUpdate("pca", 58, 58)
    before = where(connection, encoder)
    with pytest.raises(
        UmapMissing, match=r"run pip install 'library-pipeline\[atlas\]'$"
    ) as raised:
        update_atlas(connection, encoder, umap=True)
    assert (raised.value.code, raised.value.transient) == ("atlas.umap_missing", False)
    assert where(connection, encoder) == before
    show(connection, vectors[58:], 58)
    assert update_atlas(connection, encoder, umap=False) == AtlasUpdate(None, 60, 2)
    with pytest.raises(UmapMissing):
        by_umap(vectors.astype(np.float16), np.zeros((60, 2), np.float32))


def test_too_few_screenshots_for_umap_do_not_need_it(
    connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    encoder = show(connection, clustered(11))
    assert update_atlas(connection, encoder, umap=True) == AtlasUpdate("pca", 11, 11)
