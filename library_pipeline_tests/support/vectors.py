"""Libraries of clustered vectors, stored without a refresh, and the exact answers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import psycopg
from numpy.typing import NDArray

from library_pipeline.catalog.encoder import EncoderInfo, EncoderSpec
from library_pipeline.index.embeddings import store_embeddings
from library_pipeline.index.encoders import register_encoder
from library_pipeline.search.ranking import Match

Vectors = NDArray[np.float32]
DIM = 32
QUESTIONS = 40


def clustered(count: int, *, seed: int = 1) -> Vectors:
    """Return (count, DIM) unit vectors around 60 centres, the same for every seed."""
    centres = np.random.default_rng(0).standard_normal((60, DIM))
    random = np.random.default_rng(seed)
    vectors = centres[random.integers(0, 60, count)] + 0.5 * random.standard_normal((count, DIM))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def digests(count: int, start: int = 0) -> list[str]:
    numbers = range(start, start + count)
    return [hashlib.sha256(str(number).encode()).hexdigest() for number in numbers]


def put_vectors(connection: psycopg.Connection, vectors: Vectors, start: int = 0) -> EncoderInfo:
    """Store the screenshots `start` and on with `vectors` by an encoder of their dimension."""
    encoder = register_encoder(
        connection, EncoderSpec("clip", "m"), fingerprint="f", dim=vectors.shape[1]
    )
    shown = digests(len(vectors), start)
    with connection.transaction():
        connection.execute(
            """insert into pipeline.screenshot
               select digest, 'png', 1, 1, 1, '' from unnest(%s::text[]) digest""",
            (shown,),
        )
        store_embeddings(connection, encoder, dict(zip(shown, vectors, strict=True)))
    return encoder


def put_library(connection: psycopg.Connection, vectors: Vectors) -> EncoderInfo:
    """Index a component 0, 1, ... for each of `vectors`, every hundredth of them for south."""
    encoder = put_vectors(connection, vectors)
    connection.execute(
        """insert into pipeline.component
           select position - 1, position - 1, '1', '',
                  case when position %% 100 = 1 then 'south' else 'north' end,
                  '', '{}', null, '', '', '', digest
           from unnest(%s::text[]) with ordinality shown (digest, position)""",
        (digests(len(vectors)),),
    )
    return encoder


def exact(vectors: Vectors, query: Vectors, numbers: Sequence[int], k: int = 10) -> list[str]:
    """Return the `k` of the components `numbers` most like `query`, the plain way."""
    order = np.argsort(-(vectors[list(numbers)] @ query), kind="stable")[:k]
    return [str(numbers[place]) for place in order]


def mean_hits(hits: Sequence[int], *, by_graph: bool) -> float:
    """Return how many of the true answers a question finds; through a graph, but for the worst one.

    pgvector draws a graph's levels by chance, which no seed reaches: one question of thousands ends
    in the wrong place. That may happen to one; two, or all of them a little, count.
    """
    return float(np.mean(sorted(hits)[by_graph:]))


def ids(matches: Sequence[Match]) -> list[str]:
    return [match.component_id for match in matches]


def scans(connection: psycopg.Connection, encoder: EncoderInfo) -> int:
    """Return how often the ANN index was read in this transaction."""
    row = connection.execute(
        "select pg_stat_get_xact_numscans(%s::regclass)", (f"pipeline.embedding_{encoder.id}_ann",)
    ).fetchone()
    return row[0] if row else 0


def put_facts(connection: psycopg.Connection) -> None:
    """Give component n the category n mod 2, the source n mod 3, tags and attributes."""
    connection.execute(
        """update pipeline.component set
               category = 'category-' || component_id::int % 2,
               source = 'source-' || component_id::int % 3,
               tags = array['all', 'tag-' || component_id::int % 5],
               attributes = jsonb_build_object('theme', case component_id::int % 4
                   when 0 then 'dark' else 'light' end,
                   'layout', jsonb_build_object('columns', component_id::int % 6))"""
    )
    connection.execute("analyze pipeline.component")
