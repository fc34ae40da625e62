"""Search in the database: `library.match_components` as the program calls it, and its recall."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.index.embeddings import embedding_table
from library_pipeline.search.ranking import Filters, Question, search
from tools.bench.search.library import COMMON, RARE, BenchLibrary

K = 10
WARM_UP = 20
CHECKED = 50  # questions whose true ten are looked up, a scan of everything each

_EXACT = """
select component_id from (
    select c.component_id, {score} as score from pipeline.component c {joins}
    where c.removed_at is null and (%(client)s::text is null or c.client = %(client)s)
    offset 0) scored
order by score desc, component_id limit %(k)s
"""


@dataclass(frozen=True, slots=True)
class SearchTimes:
    """Milliseconds of each question, in the order asked, and the share of the true ten found."""

    what: str
    times: tuple[float, ...]
    recall: float

    @property
    def p50(self) -> float:
        """The median."""
        return statistics.median(self.times)

    @property
    def p95(self) -> float:
        """What 95% of the questions stay under."""
        return statistics.quantiles(self.times, n=20)[-1]


def measure_search(connection: psycopg.Connection, library: BenchLibrary) -> list[SearchTimes]:
    """Ask every question unfiltered, of 1% and of 20% of the library, by one encoder and by two."""
    first, *_ = library.encoders
    cases: list[tuple[str, Sequence[EncoderInfo], str | None]] = [
        ("by vector", (first,), None),
        ("by vector, of 1%", (first,), RARE),
        ("by vector, of 20%", (first,), COMMON),
        ("by two encoders", library.encoders, None),
        ("by two encoders, of 20%", library.encoders, COMMON),
    ]
    return [_measure(connection, library, *case) for case in cases]


def _measure(
    connection: psycopg.Connection,
    library: BenchLibrary,
    what: str,
    encoders: Sequence[EncoderInfo],
    client: str | None,
) -> SearchTimes:
    filters = Filters(clients=(client,) if client else ())
    asked = [
        [Question(each, library.questions[each.name][n]) for each in encoders]
        for n in range(len(library.questions["clip"]))
    ]
    for questions in asked[:WARM_UP]:
        search(connection, questions, k=K, filters=filters)
    times: list[float] = []
    hits = 0
    for number, questions in enumerate(asked):
        started = time.perf_counter()
        found = search(connection, questions, k=K, filters=filters)
        times.append((time.perf_counter() - started) * 1000)
        if number < CHECKED:
            true = _exact(connection, questions, client)
            hits += len({match.component_id for match in found} & true)
    return SearchTimes(what, tuple(times), hits / (K * min(CHECKED, len(asked))))


def _exact(
    connection: psycopg.Connection, questions: Sequence[Question], client: str | None
) -> set[str]:
    """Return the ids of the true ten, by a scan of everything."""
    terms: dict[str, object] = {"client": client, "k": K}
    scores: list[sql.Composable] = []
    joins: list[sql.Composable] = []
    for each in questions:
        alias = sql.Identifier(f"e{each.encoder.id}")
        terms[f"v{each.encoder.id}"] = str(each.vector.tolist())
        scores.append(
            sql.SQL("1 - ({}.vector <=> {}::halfvec)").format(
                alias, sql.Placeholder(f"v{each.encoder.id}")
            )
        )
        joins.append(
            sql.SQL("join {} {} using (screenshot_sha256)").format(
                embedding_table(each.encoder.id), alias
            )
        )
    statement = sql.SQL(_EXACT).format(
        score=sql.SQL(" + ").join(scores), joins=sql.SQL(" ").join(joins)
    )
    return {row[0] for row in connection.execute(statement, terms)}
