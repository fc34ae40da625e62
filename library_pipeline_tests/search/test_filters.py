"""Which components may answer: filters mean what they say, with the index as without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.embedded_server import EmbeddedServer
from library_pipeline.index.ann import ensure_ann_index
from library_pipeline.index.encoders import active_encoders
from library_pipeline.search.ranking import Filters, Match, Question, search
from library_pipeline_tests.support.databases import copied_database
from library_pipeline_tests.support.vectors import (
    QUESTIONS,
    Vectors,
    clustered,
    ids,
    mean_hits,
    put_facts,
    put_library,
    scans,
)

COUNT = 12_000  # enough that what a filter leaves may be too much to be ranked exactly
HOSTILE = ("' or true --", "}; drop table pipeline.component; --", '"', "\\", "%s", "$1", "{a,b}")


@pytest.fixture(scope="module")
def facts(server: EmbeddedServer) -> Iterator[psycopg.Connection]:
    """A library of COUNT components with facts and a vector index; tests only read it."""
    with copied_database(server, "filters") as database, database.connect() as connection:
        encoder = put_library(connection, clustered(COUNT))
        put_facts(connection)
        ensure_ann_index(connection, encoder, ann_from=0)
        yield connection


def encoder_of(connection: psycopg.Connection) -> EncoderInfo:
    (encoder,) = active_encoders(connection)
    return encoder


def ask(connection: psycopg.Connection, vector: Vectors, **terms: Any) -> list[Match]:
    return search(connection, [Question(encoder_of(connection), vector)], **terms)


@pytest.mark.parametrize(
    ("filters", "fits"),
    [
        (Filters(clients=("south",)), lambda n: n % 100 == 0),
        (Filters(clients=("south", "north")), lambda _: True),
        (Filters(categories=("category-1",)), lambda n: n % 2 == 1),
        (Filters(sources=("source-0", "source-2")), lambda n: n % 3 != 1),
        (Filters(tags=("all", "tag-3")), lambda n: n % 5 == 3),
        (Filters(tags=("tag-2", "tag-3")), lambda _: False),
        (Filters(attributes={"theme": "dark"}), lambda n: n % 4 == 0),
        (Filters(attributes={"layout": {"columns": 2}}), lambda n: n % 6 == 2),
        (Filters(attributes={"layout": {"columns": "2"}}), lambda _: False),
        (
            Filters(categories=("category-0",), tags=("tag-0",), excluding=("0", "10", "20")),
            lambda n: n % 10 == 0 and n not in (0, 10, 20),
        ),
    ],
)
def test_filters_leave_the_best_of_those_that_fit(
    facts: psycopg.Connection, filters: Filters, fits: Callable[[int], bool]
) -> None:
    """Recall is that of an exact search, by every filter; the vectors have an index."""
    vectors, questions = clustered(COUNT), clustered(QUESTIONS, seed=2)
    numbers = [number for number in range(COUNT) if fits(number)]
    hits = list[int]()
    for vector in questions:
        found = [int(each) for each in ids(ask(facts, vector, filters=filters))]
        assert all(fits(number) for number in found)
        order = sorted(numbers, key=lambda number: -(vectors[number] @ vector))[:10]
        assert len(found) == len(order)
        hits.append(len(set(found) & set(order)))
    by_graph = len(numbers) > 2500  # exact_rows in sql/0008
    assert mean_hits(hits, by_graph=by_graph) >= 0.98 * min(10, len(numbers))


def test_a_wide_filter_goes_by_the_index_and_a_narrow_one_does_not(
    facts: psycopg.Connection,
) -> None:
    vector = clustered(1, seed=3)[0]
    for filters, read in ((Filters(categories=("category-0",)), 1), (Filters(("south",)), 0)):
        with facts.transaction():
            before = scans(facts, encoder_of(facts))
            ask(facts, vector, filters=filters)
            assert scans(facts, encoder_of(facts)) - before == read


def test_pages_and_a_least_score_cut_one_ranking(facts: psycopg.Connection) -> None:
    vector = clustered(1, seed=4)[0]
    whole = ask(facts, vector, k=30)
    pages = [match for skip in (0, 10, 20) for match in ask(facts, vector, k=10, skip=skip)]
    assert ids(pages) == ids(whole)
    assert [match.rank for match in pages] == list(range(1, 31))
    least = whole[11].score
    assert ids(ask(facts, vector, k=30, least_score=least)) == ids(whole)[:12]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(word=st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(exclude_characters="\0"))))
def test_no_filter_is_ever_sql(facts: psycopg.Connection, word: str) -> None:
    word = word.encode("utf-8", "ignore").decode()
    for filters in (
        Filters(clients=(word,)),
        Filters(categories=(word,)),
        Filters(sources=(word,)),
        Filters(tags=(word,)),
        Filters(attributes={word: word}),
    ):
        assert ask(facts, clustered(1)[0], filters=filters) == []
    assert len(ask(facts, clustered(1)[0], filters=Filters(excluding=(word,)))) == 10


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("'{}'", "0 vectors, 1 encoders (clip)"),
        ("array['[1,2]'::halfvec]", "the vector for clip has 2 dimensions; this encoder has 32"),
        ("array[%(v)s::halfvec], array['dino']", "no encoder called dino is active"),
        (
            "array[%(v)s::halfvec], null, array[0.0::float8]",
            "the weights are 0; each must be more than 0",
        ),
        ("array[%(v)s::halfvec], k => -1", "k is -1 and skip is 0"),
    ],
)
def test_a_wrong_call_from_another_program_says_what_is_wrong(
    facts: psycopg.Connection, arguments: str, problem: str
) -> None:
    vector = str(clustered(1)[0].tolist())
    with pytest.raises(psycopg.DataError) as error:
        facts.execute(f"select * from library.match_components({arguments})", {"v": vector})
    assert problem in str(error.value)


def test_another_program_asks_with_a_role_that_may_read_nothing_else(
    facts: psycopg.Connection,
) -> None:
    facts.execute("create role reader nologin")
    facts.execute("grant usage on schema library to reader")
    facts.execute("set role reader")
    try:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            facts.execute("select 1 from pipeline.component")
        rows = facts.execute(
            "select component_id from library.similar_components('7', k => 3, with_tags => '{all}')"
        ).fetchall()
        assert len(rows) == 3
        assert ("7",) not in rows
        with pytest.raises(psycopg.errors.NoDataFound, match="no searchable component .* nobody"):
            facts.execute("select * from library.similar_components('nobody')")
    finally:
        facts.execute("reset role")
        facts.execute("drop owned by reader")
        facts.execute("drop role reader")
