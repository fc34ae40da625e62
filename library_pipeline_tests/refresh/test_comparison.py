"""The plan: SQL against a model of the rule in plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from library_pipeline.catalog.component import bucket_key
from library_pipeline.catalog.refresh import RefreshKind, RefreshRequest, RefreshScope
from library_pipeline.refresh.chunks import bucket_versions, components_in_buckets
from library_pipeline.refresh.closing import cancel_refresh, finish_if_done, stop_refresh
from library_pipeline.refresh.comparison import count_due, make_plan
from library_pipeline.refresh.log import create_refresh, read_result
from library_pipeline.refresh.outcomes import set_reported
from library_pipeline.refresh.staging import load_manifest
from library_pipeline.sources.entry import ManifestProblem
from library_pipeline_tests.support.plans import (
    actions,
    component,
    encoder_of,
    plan,
    put_failure,
    put_indexed,
    put_manifest,
)

IDS = ["a", "b", "ü,\"'", "d" * 200, "e/…/1"]


@dataclass(frozen=True)
class Case:
    """What CMS and index say of one component."""

    component_id: str
    listed: str | None  # revision in the manifest
    indexed: str | None  # revision in the index
    embedded: bool
    failed: str | None  # revision that failed
    due: bool


def cases() -> st.SearchStrategy[list[Case]]:
    revisions = st.sampled_from([None, "r1", "r2"])
    return st.tuples(
        *(
            st.builds(
                Case, st.just(name), revisions, revisions, st.booleans(), revisions, st.booleans()
            )
            for name in IDS
        )
    ).map(list)


def expected_actions(case: Case, kind: RefreshKind) -> dict[str, str]:
    """Say what the rule makes of one component, in Python."""
    if case.listed is None:
        return {}
    action = (
        "new" if case.indexed is None else "changed" if case.indexed != case.listed else "check"
    )
    failed_now = case.failed == case.listed
    stands = case.indexed == case.listed and case.embedded
    wanted = {
        "full": True,
        "retry": case.failed is not None,
        "incremental": case.due if failed_now else case.failed is not None or not stands,
    }[kind]
    return {case.component_id: action} if wanted else {}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(library=cases(), kind=st.sampled_from(["full", "incremental", "retry"]))
def test_the_plan_follows_the_rule(
    connection: psycopg.Connection, library: list[Case], kind: RefreshKind
) -> None:
    with connection.transaction(force_rollback=True):
        encoder = encoder_of(connection)
        put_manifest(connection, [component(c.component_id, c.listed) for c in library if c.listed])
        for case in library:
            if case.indexed:
                put_indexed(
                    connection, encoder, case.component_id, case.indexed, embedded=case.embedded
                )
            if case.failed:
                put_failure(connection, case.component_id, case.failed, due=case.due)
        expected: dict[str, str] = {}
        for case in library:
            expected |= expected_actions(case, kind)
        if kind == "incremental":
            assert count_due(connection, [encoder]) == len(expected)

        made = plan(connection, kind)

        assert actions(connection, made) == expected
        gone = [c.component_id for c in library if c.indexed and c.listed is None]
        removes = kind != "retry" and any(case.listed for case in library)
        assert sorted(made.removed) == (sorted(gone) if removes else [])
        assert made.planned == len(expected)
        assert len(made.chunks) == -(-len(expected) // 2)


def test_a_retry_of_what_is_due_leaves_the_rest(connection: psycopg.Connection) -> None:
    put_manifest(connection, [component(name, "1") for name in "abc"])
    put_failure(connection, "a", "1", due=True)
    put_failure(connection, "b", "1", due=False)
    assert actions(connection, plan(connection, "retry", RefreshScope(due_only=True))) == {
        "a": "new"
    }


def test_what_was_stored_but_never_told_of_is_taken_up_to_be_told(
    connection: psycopg.Connection,
) -> None:
    put_manifest(connection, [component(name, "1") for name in "ab"])
    for name in "ab":
        put_indexed(connection, encoder_of(connection), name, "1")
    first = plan(connection, "full")
    connection.execute(
        "update pipeline.refresh_component set outcome = 'new' where component_id = 'a'"
    )
    assert count_due(connection, [encoder_of(connection)]) == 0  # its own run may still tell
    stop_refresh(connection, first.refresh_id, "its process is gone")
    assert count_due(connection, [encoder_of(connection)]) == 1
    made = plan(connection)
    assert (actions(connection, made), made.new) == ({"a": "report"}, ("a",))
    set_reported(connection, made.refresh_id, ["a"])
    assert count_due(connection, [encoder_of(connection)]) == 0


def test_a_refresh_that_was_cancelled_while_being_planned_does_nothing(
    connection: psycopg.Connection,
) -> None:
    put_manifest(connection, [component("a", "1")])
    request = RefreshRequest("early", "full", "cli", in_process=True)
    create_refresh(connection, request)
    assert cancel_refresh(connection, "early")
    made = make_plan(
        connection,
        request,
        encoders=[encoder_of(connection)],
        chunk_size=2,
        max_removed_share=1,
    )
    assert made.chunks == ()
    assert finish_if_done(connection, "early")
    assert read_result(connection, "early").state == "cancelled"


def test_components_of_a_bucket_go_into_one_chunk(connection: psycopg.Connection) -> None:
    put_manifest(connection, [component(f"c-{n}", "1") for n in range(40)])
    made = plan(connection, chunk_size=10, buckets=4)
    rows = connection.execute(
        "select component_id, chunk from pipeline.refresh_component order by chunk"
    ).fetchall()
    order = [bucket_key(name, 4) for name, _ in rows]
    assert len(made.chunks) == 4
    assert sum(one != two for one, two in pairwise(order)) <= 3 + len(made.chunks)
    keys = sorted(set(order))
    versions = bucket_versions(connection, keys, 4)
    assert versions == {}  # nothing is indexed yet
    assert sorted(components_in_buckets(connection, keys, 4)) == sorted(name for name, _ in rows)
    assert components_in_buckets(connection, keys[:1], 4) == sorted(
        name for name, _ in rows if bucket_key(name, 4) == keys[0]
    )
    with pytest.raises(ValueError, match=r"bucket-00001-of-9 is none of 4 buckets"):
        components_in_buckets(connection, ["bucket-00001-of-9"], 4)


def test_a_narrowed_refresh_takes_only_its_part_and_removes_nothing(
    connection: psycopg.Connection,
) -> None:
    put_manifest(connection, [component("a", "1"), component("b", "1", client="south")])
    put_indexed(connection, encoder_of(connection), "gone", "1")
    made = plan(connection, "full", RefreshScope(client="south"))
    assert actions(connection, made) == {"b": "new"}
    assert made.removed == ()
    assert actions(connection, plan(connection, scope=RefreshScope(limit=1))) == {"a": "new"}


def test_an_entry_without_an_id_keeps_everything_that_is_indexed(
    connection: psycopg.Connection,
) -> None:
    put_indexed(connection, encoder_of(connection), "a", "1")
    put_manifest(
        connection,
        [component("b", "1"), ManifestProblem(1, None, "id", "null", "manifest.no_id", "no id")],
    )
    assert plan(connection).removed == ()


def test_a_broken_entry_is_a_failure_and_its_component_stays(
    connection: psycopg.Connection,
) -> None:
    put_indexed(connection, encoder_of(connection), "a", "1")
    problem = ManifestProblem(
        0, "a", "files.records", "null", "manifest.missing_file", "no records"
    )
    put_manifest(connection, [problem, component("b", "1")])
    made = plan(connection)
    assert actions(connection, made) == {"b": "new"}
    assert made.removed == ()
    (failure,) = read_result(connection, made.refresh_id).failures
    assert (failure.component_id, failure.phase, failure.message) == ("a", "manifest", "no records")


def test_an_id_listed_twice_with_different_content_is_a_failure_of_that_component_alone(
    connection: psycopg.Connection,
) -> None:
    put_manifest(connection, [component("a", "1"), component("b", "1"), component("a", "2")])
    made = plan(connection)
    assert actions(connection, made) == {"b": "new"}
    (failure,) = read_result(connection, made.refresh_id).failures
    assert failure.code == "manifest.duplicate_id"
    assert "component a: the manifest lists this id 2 times" in failure.message


def test_the_same_entry_twice_is_a_page_that_shifted(connection: psycopg.Connection) -> None:
    put_manifest(connection, [component("a", "1"), component("b", "1"), component("a", "1")])
    assert actions(connection, plan(connection)) == {"a": "new", "b": "new"}


def test_a_manifest_that_breaks_off_changes_nothing(connection: psycopg.Connection) -> None:
    put_manifest(connection, [component("a", "1")])
    with pytest.raises(RuntimeError), load_manifest(connection) as load:
        load.add([component("b", "1")])
        raise RuntimeError
    rows = connection.execute("select component_id from pipeline.manifest_entry").fetchall()
    assert rows == [("a",)]
