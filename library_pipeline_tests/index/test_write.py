"""Writing the index: in one transaction, never back in time, and what other programs see."""

from __future__ import annotations

import hashlib

import numpy as np
import psycopg
import pytest

from library_pipeline.catalog.component import Bundle, StoredFile
from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.index.embeddings import embedded_screenshots
from library_pipeline.index.write import DecodedScreenshot, known_bundles, store_batch
from library_pipeline.search.ranking import Filters, Question, component_vector, search
from library_pipeline_tests.support.plans import component, encoder_of, put_manifest


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def bundle(component_id: str, revision: str, screenshot: str = "s") -> Bundle:
    names = {"config": "c", "format": "f", "records": "r", "screenshot": screenshot}
    files = {kind: StoredFile(digest(name), 10) for kind, name in names.items()}
    return Bundle(component_id, revision, files)  # type: ignore[arg-type]


def store(
    connection: psycopg.Connection,
    encoder: EncoderInfo,
    *bundles: Bundle,
    vector: tuple[float, float] = (1.0, 0.0),
) -> set[str]:
    digests = {item.screenshot_sha256 for item in bundles}
    return store_batch(
        connection,
        bundles=bundles,
        screenshots=[DecodedScreenshot(sha, "png", 4, 3, 10, b"thumb") for sha in digests],
        vectors={encoder: {sha: np.array(vector, np.float32) for sha in digests}},
    )


def test_a_stored_component_is_found_by_other_programs(connection: psycopg.Connection) -> None:
    encoder = encoder_of(connection)
    put_manifest(connection, [component("a", "r1")])
    store(connection, encoder, bundle("a", "r1"))
    row = connection.execute(
        "select component_id, revision, client, width, height from library.component"
    ).fetchone()
    assert row == ("a", "r1", "north", 4, 3)
    assert component_vector(connection, encoder, "a") == pytest.approx([1.0, 0.0])


def test_a_slow_worker_does_not_take_a_component_back_in_time(
    connection: psycopg.Connection,
) -> None:
    encoder = encoder_of(connection)
    put_manifest(connection, [component("a", "r2")])
    assert store(connection, encoder, bundle("a", "r2", "new look")) == set()
    assert store(connection, encoder, bundle("a", "r1", "old look")) == {"a"}
    row = connection.execute("select revision, screenshot_sha256 from pipeline.component")
    assert row.fetchall() == [("r2", digest("new look"))]


def test_storing_the_same_twice_leaves_one(connection: psycopg.Connection) -> None:
    encoder = encoder_of(connection)
    put_manifest(connection, [component("a", "r1")])
    for _ in range(2):
        store(connection, encoder, bundle("a", "r1"))
    counts = connection.execute(
        f"""select (select count(*) from pipeline.component),
                   (select count(*) from pipeline.embedding_{encoder.id}),
                   (select count(*) from pipeline.bundle)"""
    ).fetchone()
    assert counts == (1, 1, 1)
    assert known_bundles(connection, ["a"]) == {"a": bundle("a", "r1")}


def test_two_components_with_one_screenshot_share_its_vector(
    connection: psycopg.Connection,
) -> None:
    encoder = encoder_of(connection)
    put_manifest(connection, [component("a", "r1"), component("b", "r1")])
    store(connection, encoder, bundle("a", "r1"), bundle("b", "r1"))
    assert embedded_screenshots(connection, encoder.id, [digest("s"), digest("t")]) == {digest("s")}
    found = search(connection, [Question(encoder, np.array([1, 0], np.float32))], k=5)
    assert [(match.component_id, match.score) for match in found] == [("a", 1.0), ("b", 1.0)]


def test_a_batch_that_fails_leaves_nothing_behind(connection: psycopg.Connection) -> None:
    encoder = encoder_of(connection)
    put_manifest(connection, [component("a", "r1"), component("b", "r1")])
    wrong = np.ones(3, np.float32)
    with pytest.raises(psycopg.DataError, match="expected 2 dimensions, not 3"):
        store_batch(
            connection,
            bundles=[bundle("a", "r1")],
            screenshots=[DecodedScreenshot(digest("s"), "png", 4, 3, 10, b"")],
            vectors={encoder: {digest("s"): wrong}},
        )
    assert connection.execute("select count(*) from pipeline.screenshot").fetchone() == (0,)


def test_search_ranks_by_likeness_and_keeps_to_the_client(connection: psycopg.Connection) -> None:
    encoder = encoder_of(connection)
    put_manifest(
        connection,
        [component("a", "1"), component("b", "1", client="south"), component("c", "1")],
    )
    store(connection, encoder, bundle("a", "1", "sa"), vector=(1, 0))
    store(connection, encoder, bundle("b", "1", "sb"), vector=(0.8, 0.6))
    store(connection, encoder, bundle("c", "1", "sc"), vector=(0, 1))
    query = np.array([0.6, 0.8], np.float32)
    assert [m.component_id for m in search(connection, [Question(encoder, query)])] == [
        "b",
        "c",
        "a",
    ]
    assert [
        m.component_id
        for m in search(
            connection, [Question(encoder, query)], filters=Filters(clients=("north",)), k=1
        )
    ] == ["c"]
