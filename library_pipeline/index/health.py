"""Checks of the index: is it complete, sound and fresh? Each check is one read-only query."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import psycopg
from psycopg import sql

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.index.ann import ann_index_ready, nearest, read_by_index
from library_pipeline.index.embeddings import embedding_table
from library_pipeline.index.encoders import active_encoders
from library_pipeline.index.removals import held_removals

EXAMPLES: Final = 10
# A half keeps 11 significant bits, so rounding moves a component, and with it the norm, by at
# most 2^-11 of itself: 0.0005. Of 100,000 vectors of 512 dimensions none was off by 0.0001.
NORM_TOLERANCE: Final = 0.001
RECALL_K: Final = 10
RECALL_CANDIDATES: Final = 120  # as many as library.match_components takes for so few
RECALL_SAMPLE: Final = 50
MIN_RECALL: Final = 0.98
_SAME_DISTANCE: Final = 1e-6

_COVERAGE = """
with lacking as materialized (
    select c.component_id from pipeline.component c
    where c.removed_at is null and not exists
        (select from {embedding} e where e.screenshot_sha256 = c.screenshot_sha256)
)
select (select count(*) from pipeline.component where removed_at is null),
       (select count(*) from lacking),
       array(select component_id from lacking order by component_id limit %(examples)s)
"""
_NORMS = """
select count(*), count(*) filter (where not off <= %(tolerance)s), coalesce(max(off), 0),
       (array_agg(screenshot_sha256 order by screenshot_sha256)
           filter (where not off <= %(tolerance)s))[:%(examples)s]
from (select screenshot_sha256, abs(l2_norm(vector) - 1) as off from {embedding}) measured
"""
# Digests are as good as random, so the first ones are a fair sample that is always the same. A
# neighbour counts by its distance, as in ann-benchmarks, since equal screenshots are neighbours
# of equal right. `+ 0` keeps the exact side away from the index.
_RECALL = """
with sample as materialized (
    select screenshot_sha256, vector from {embedding}
    order by screenshot_sha256 limit %(sample)s
)
select count(*), coalesce(sum(least(found.hits, truth.size)), 0), coalesce(sum(truth.size), 0)
from sample cross join lateral (
    select max(distance) as furthest, count(*) as size from (
        select (e.vector <=> sample.vector) + 0 as distance from {embedding} e
        order by distance limit %(k)s) exact
) truth cross join lateral (
    select count(*) filter (where distance <= truth.furthest + %(same)s) as hits
    from (select distance from ({nearest}) candidate order by distance limit %(k)s) best
) found
"""
_FRESHNESS = """
select count(*), count(*) filter (where not failed and not indexed),
       count(*) filter (where failed),
       (select extract(epoch from now() - min(fetched_at))::float8 from pipeline.manifest)
from (
    select f.component_id is not null as failed, c.component_id is not null as indexed
    from pipeline.manifest_entry m
    left join pipeline.failure f on (f.component_id, f.revision) = (m.component_id, m.revision)
    left join pipeline.component c on (c.component_id, c.revision) = (m.component_id, m.revision)
         and c.removed_at is null
) entry
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: whether it passed, a sentence, and numbers by name.

    `examples` are at most `EXAMPLES` ids of what failed it.
    """

    ok: bool
    summary: str
    numbers: Mapping[str, int | float]
    examples: tuple[str, ...] = field(default=())


def of_every_encoder(
    connection: psycopg.Connection,
    ask: Callable[[psycopg.Connection, EncoderInfo], Finding],
) -> Finding:
    """Run a check for every active encoder; it passes if all pass, or if there is none yet.

    With several encoders, each number's name begins with the encoder's.
    """
    encoders = active_encoders(connection)
    findings = {encoder.name: ask(connection, encoder) for encoder in encoders}
    if len(findings) == 1:
        return findings[encoders[0].name]
    summary = "; ".join(found.summary for found in findings.values()) or "no encoder is active yet"
    numbers = {
        f"{name} {number}": value
        for name, found in findings.items()
        for number, value in found.numbers.items()
    }
    examples = dict.fromkeys(example for found in findings.values() for example in found.examples)
    return Finding(
        all(found.ok for found in findings.values()),
        summary,
        numbers,
        tuple(examples)[:EXAMPLES],
    )


def embedding_coverage(connection: psycopg.Connection, encoder: EncoderInfo) -> Finding:
    """Check that every searchable component has a vector of `encoder`; search misses the others."""
    query = sql.SQL(_COVERAGE).format(embedding=embedding_table(encoder.id))
    row = connection.execute(query, {"examples": EXAMPLES}).fetchone()
    components, lacking, ids = row or (0, 0, [])
    summary = (
        f"{lacking} of {components} components have no vector of {encoder.name}: {_some(ids)}"
        if lacking
        else f"all {components} components have a vector of {encoder.name}"
    )
    numbers = {"components": components, "without_vector": lacking}
    return Finding(lacking == 0, summary, numbers, tuple(ids))


def vector_norms(connection: psycopg.Connection, encoder: EncoderInfo) -> Finding:
    """Check that all vectors of `encoder` have norm 1; examples are digests of screenshots.

    A vector with a component that is not finite has no finite norm, so it fails.
    """
    query = sql.SQL(_NORMS).format(embedding=embedding_table(encoder.id))
    terms = {"tolerance": NORM_TOLERANCE, "examples": EXAMPLES}
    row = connection.execute(query, terms).fetchone()
    vectors, off, largest, digests = row or (0, 0, 0.0, None)
    summary = (
        f"{off} of {vectors} vectors of {encoder.name} are not of norm 1 "
        f"(off by up to {largest:.3g}): screenshots {_some(digests or [])}"
        if off
        else f"all {vectors} vectors of {encoder.name} have norm 1, within {largest:.1g}"
    )
    numbers = {"vectors": vectors, "off": off, "largest_deviation": largest}
    return Finding(off == 0, summary, numbers, tuple(digests or ()))


def ann_recall(connection: psycopg.Connection, encoder: EncoderInfo) -> Finding:
    """Check that the ANN index finds what an exact scan finds: the 10 nearest of 50 vectors.

    Passes where there is no index, because search is exact then.
    """
    if not ann_index_ready(connection, encoder):
        return Finding(True, f"{encoder.name} has no ANN index; search is exact", {})
    query = sql.SQL(_RECALL).format(
        embedding=embedding_table(encoder.id),
        nearest=nearest(encoder, sql.SQL("sample.vector"), sql.Literal(RECALL_CANDIDATES)),
    )
    terms = {"sample": RECALL_SAMPLE, "k": RECALL_K, "same": _SAME_DISTANCE}
    with read_by_index(connection, RECALL_CANDIDATES):
        row = connection.execute(query, terms).fetchone()
    sampled, hits, size = row or (0, 0, 0)
    recall = float(hits / size) if size else 1.0
    summary = (
        f"the ANN index of {encoder.name} finds {recall:.1%} of the {RECALL_K} nearest vectors "
        f"of {sampled}; at least {MIN_RECALL:.0%} is well"
    )
    return Finding(recall >= MIN_RECALL, summary, {"recall": recall, "sampled": sampled})


def freshness(connection: psycopg.Connection, *, max_age: timedelta = timedelta.max) -> Finding:
    """Check that listed components are indexed or failed, and the list is younger than `max_age`.

    While a refresh runs, the components that it has not reached yet count as behind.
    """
    row = connection.execute(_FRESHNESS).fetchone()
    listed, behind, failed, age = row or (0, 0, 0, None)
    if age is None:
        return Finding(False, "the CMS's manifest has never been read", {"listed": listed})
    read = f"the manifest was read {_duration(age)} ago"
    old = age > max_age.total_seconds()
    if old:
        read += f", longer than {_duration(max_age.total_seconds())}"
    summary = f"{behind} of {listed} listed components are behind, {failed} failed; {read}"
    numbers = {"listed": listed, "behind": behind, "failed": failed, "manifest_age_seconds": age}
    return Finding(behind == 0 and not old, summary, numbers)


def removals_held(connection: psycopg.Connection) -> Finding:
    """Check that no removal waits for approval; examples are component ids."""
    held = held_removals(connection, examples=EXAMPLES)
    if not held.count:
        return Finding(True, "no removal waits for approval", {"held": 0})
    summary = (
        f"{held.count} of {held.indexed} components left the CMS and wait for approval to be "
        f"removed, since {held.since:%Y-%m-%d %H:%M %Z}: {_some(held.examples)}"
    )
    numbers = {"held": held.count, "components": held.indexed}
    return Finding(False, summary, numbers, held.examples)


def _some(ids: Sequence[str]) -> str:
    """Return the ids as words, with dots if there may be more than `EXAMPLES`."""
    return ", ".join(ids) + (", ..." if len(ids) == EXAMPLES else "")


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
