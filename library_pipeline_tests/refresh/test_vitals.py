"""The library in numbers: each is counted from what is there; an age is None before the first."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg

from library_pipeline.index.activation import Coverage
from library_pipeline.refresh.history import vitals
from library_pipeline_tests.support.plans import (
    component,
    encoder_of,
    put_failure,
    put_indexed,
    put_manifest,
    put_refresh,
)


def test_an_empty_library_has_no_ages_and_no_encoders(connection: psycopg.Connection) -> None:
    state = vitals(connection)
    assert (state.counts, state.held_removals) == (Coverage(0, 0, 0), 0)
    assert (state.age_seconds, state.refreshed_seconds_ago) == (None, None)
    assert state.encoders == ()
    assert state.database_bytes > 1_000_000


def test_counts_coverage_and_ages_are_those_of_now(connection: psycopg.Connection) -> None:
    encoder = encoder_of(connection)
    put_manifest(connection, [component(name, "1") for name in "abc"])
    connection.execute(
        "update pipeline.manifest set fetched_at = %s - interval '1 hour'", (datetime.now(UTC),)
    )
    put_indexed(connection, encoder, "a", "1")
    put_indexed(connection, encoder, "b", "1", embedded=False)
    put_failure(connection, "c", "1", due=False)
    connection.execute("insert into pipeline.removal_hold values ('a', 'r', now(), null)")
    put_refresh(connection, "older", "full", "finished", "3 hours")
    put_refresh(connection, "good", "incremental", "finished", "2 hours")
    put_refresh(connection, "bad", "incremental", "failed", "1 hour")
    put_refresh(connection, "aside", "reembed", "finished", "1 minute")

    state = vitals(connection)
    assert (state.counts, state.held_removals) == (Coverage(2, 3, 1), 1)
    assert [(each.name, each.covered, each.share) for each in state.encoders] == [("clip", 1, 0.5)]
    assert state.age_seconds is not None
    assert 3600 <= state.age_seconds < 3660
    assert state.refreshed_seconds_ago is not None
    assert 7200 <= state.refreshed_seconds_ago < 7260
