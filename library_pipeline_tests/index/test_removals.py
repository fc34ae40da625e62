"""What leaves the CMS leaves search; too much at once waits for a person."""

from __future__ import annotations

import psycopg

from library_pipeline.index.removals import approve_removals, held_removals
from library_pipeline.refresh.log import read_result
from library_pipeline_tests.support.plans import (
    component,
    encoder_of,
    plan,
    put_indexed,
    put_manifest,
)


def put_library(connection: psycopg.Connection, ids: str, listed: str) -> None:
    for name in ids:
        put_indexed(connection, encoder_of(connection), name, "1")
    put_manifest(connection, [component(name, "1") for name in listed])


def test_more_removals_than_the_share_are_held_back(connection: psycopg.Connection) -> None:
    put_library(connection, "abcde", "abc")
    made = plan(connection, share=0.2)
    assert (made.removed, made.held_removals) == ((), 2)
    assert read_result(connection, made.refresh_id).held_removals == 2
    assert sorted(plan(connection, share=0.4).removed) == ["d", "e"]
    assert held_removals(connection).count == 0


def test_an_empty_manifest_removes_nothing_whatever_the_share(
    connection: psycopg.Connection,
) -> None:
    put_library(connection, "ab", "")
    made = plan(connection, share=1.0)
    assert (made.removed, made.held_removals) == ((), 2)


def test_what_is_approved_goes_and_what_vanished_since_is_judged_anew(
    connection: psycopg.Connection,
) -> None:
    put_library(connection, "abcdefghij", "abcdef")
    assert plan(connection, share=0.2).held_removals == 4
    held = held_removals(connection, examples=2)
    assert (held.count, held.indexed, held.examples) == (4, 10, ("g", "h"))
    assert approve_removals(connection) == 4
    put_manifest(connection, [component(name, "1") for name in "abcg"])
    made = plan(connection, share=0.2)
    # h, i and j were approved; d, e and f have vanished since; g has come back.
    assert sorted(made.removed) == ["h", "i", "j"]
    assert made.held_removals == 3
    assert held_removals(connection).examples == ("d", "e", "f")


def test_a_component_that_comes_back_is_held_no_more(connection: psycopg.Connection) -> None:
    put_library(connection, "abcd", "a")
    assert plan(connection, share=0.2).held_removals == 3
    put_manifest(connection, [component(name, "1") for name in "abcd"])
    assert plan(connection).held_removals == 0
    assert held_removals(connection).count == 0


def test_a_narrowed_refresh_holds_and_removes_nothing(connection: psycopg.Connection) -> None:
    put_library(connection, "ab", "a")
    made = plan(connection, "retry")
    assert (made.removed, made.held_removals) == ((), 0)
