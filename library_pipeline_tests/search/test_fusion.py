"""Search by several encoders: what SQL fuses is what numpy would."""

from __future__ import annotations

import numpy as np
import psycopg
import pytest

from library_pipeline.catalog.encoder import EncoderInfo, EncoderSpec
from library_pipeline.index.ann import ensure_ann_index
from library_pipeline.index.embeddings import store_embeddings
from library_pipeline.index.encoders import register_encoder
from library_pipeline.search.ranking import Filters, Match, Question, search
from library_pipeline_tests.support.vectors import (
    QUESTIONS,
    Vectors,
    clustered,
    digests,
    ids,
    mean_hits,
    put_library,
    scans,
)

SHARES = np.array([0.6, 0.4])


def put_two(
    connection: psycopg.Connection, clip: Vectors, dino: Vectors
) -> tuple[EncoderInfo, EncoderInfo]:
    """Index a component for each row, with vectors by two encoders of different dimensions."""
    second = register_encoder(
        connection, EncoderSpec("dino", "d"), fingerprint="d", dim=dino.shape[1]
    )
    first = put_library(connection, clip)
    with connection.transaction():
        store_embeddings(connection, second, dict(zip(digests(len(dino)), dino, strict=True)))
    return first, second


def ask(
    connection: psycopg.Connection,
    encoders: tuple[EncoderInfo, EncoderInfo],
    clip: Vectors,
    dino: Vectors,
    k: int = 10,
    client: str | None = None,
) -> list[Match]:
    # Weights count by their proportion.
    questions = [Question(encoders[0], clip, 3.0), Question(encoders[1], dino, 2.0)]
    filters = Filters(clients=(client,) if client else ())
    return search(connection, questions, k=k, filters=filters)


@pytest.mark.parametrize("indexed", [False, True])
def test_fused_ranking_is_that_of_a_plain_computation(
    connection: psycopg.Connection, indexed: bool
) -> None:
    """With the ANN indexes as without; the encoders disagree, as their vectors are unrelated."""
    clip, dino = clustered(2000), clustered(2000, seed=5)[:, ::-1][:, :24]
    dino = dino / np.linalg.norm(dino, axis=1, keepdims=True)
    encoders = put_two(connection, clip, dino)
    if indexed:
        for encoder in encoders:
            ensure_ann_index(connection, encoder, ann_from=0)
    # What a person asks with is near something: nearest in both are not the same components.
    pairs = [(clip[n], dino[n + 700]) for n in range(0, 1200, 1200 // QUESTIONS)]
    with connection.transaction():
        found = [ask(connection, encoders, *pair) for pair in pairs]
        if indexed:
            assert [scans(connection, each) for each in encoders] == [QUESTIONS, QUESTIONS]
    hits = list[int]()
    for (one, two), matches in zip(pairs, found, strict=True):
        both = np.stack([clip @ one, dino @ two])
        total = SHARES @ both
        best = {str(number) for number in np.argsort(-total)[:10]}
        hits.append(len(best & set(ids(matches))))
        numbers = [int(match.component_id) for match in matches]
        np.testing.assert_allclose([m.score for m in matches], total[numbers], atol=2e-3)
        for name, row in zip(("clip", "dino"), both, strict=True):
            given = [match.scores[name] for match in matches]
            np.testing.assert_allclose(given, row[numbers], atol=2e-3)
    # Halves round what is all but equal.
    assert mean_hits(hits, by_graph=indexed) >= (9.8 if indexed else 9.95)


def test_a_fused_search_keeps_to_its_filters_and_falls_back_to_an_exact_one(
    connection: psycopg.Connection,
) -> None:
    clip, dino = clustered(1500), clustered(1500, seed=5)
    encoders = put_two(connection, clip, dino)
    for encoder in encoders:
        ensure_ann_index(connection, encoder, ann_from=0)
    total = SHARES @ np.stack([clip @ clip[7], dino @ dino[7]])
    south = sorted(range(0, 1500, 100), key=lambda number: -total[number])[:10]
    assert ids(ask(connection, encoders, clip[7], dino[7], client="south")) == [
        str(number) for number in south
    ]
    assert len(ask(connection, encoders, clip[7], dino[7], k=1200)) == 1200


def test_one_encoder_of_two_answers_as_if_it_were_alone(connection: psycopg.Connection) -> None:
    clip, dino = clustered(300), clustered(300, seed=5)
    first, second = put_two(connection, clip, dino)
    alone = search(connection, [Question(second, dino[3], 0.4)])
    assert alone[0].component_id == "3"
    assert alone[0].scores == {"dino": alone[0].score}
    assert alone[0].score == pytest.approx(1, abs=1e-3)
    assert ids(alone) != ids(search(connection, [Question(first, clip[3])]))


def test_what_lacks_a_vector_of_one_encoder_is_not_found_by_both(
    connection: psycopg.Connection,
) -> None:
    """Only an encoder that covers everything becomes active, so this says that it does not."""
    clip, dino = clustered(50), clustered(50, seed=5)
    encoders = put_two(connection, clip, dino)
    connection.execute(
        f"delete from pipeline.embedding_{encoders[1].id} where screenshot_sha256 = %s",
        (digests(4)[3],),
    )
    found = ids(ask(connection, encoders, clip[3], dino[3], k=50))
    assert len(found) == 49
    assert "3" not in found
