"""Requests lead to refreshes of their very id: each to one, whatever dies on the way."""

from __future__ import annotations

import dagster as dg
import psycopg
import pytest

from library_pipeline.catalog.refresh import RefreshKind, RefreshRequest, RefreshScope
from library_pipeline.defs.assets import PLAN
from library_pipeline.defs.jobs import RECOVERY
from library_pipeline.refresh.closing import cancel_refresh
from library_pipeline.refresh.log import read_refresh, read_result
from library_pipeline.refresh.requests import MAX_ATTEMPTS, ask, open_requests, sensor_is_alive
from library_pipeline.sample_cms import Faults, FileFault, SampleCms
from library_pipeline_tests.support.dagster_instance import Refresh
from library_pipeline_tests.support.dagster_runs import execute, run_of
from library_pipeline_tests.support.ticks import Ticks

NONE = "no request waits for a run"


@pytest.mark.parametrize(
    ("kind", "job"),
    [
        ("incremental", "incremental_refresh"),
        ("full", "full_refresh"),
        ("retry", "incremental_refresh"),
    ],
)
def test_a_request_becomes_one_run_whose_refresh_has_its_id(
    tick: Ticks,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    connection: psycopg.Connection,
    kind: RefreshKind,
    job: str,
) -> None:
    assert tick("refresh_requests") == NONE
    assert sensor_is_alive(connection)
    scope = RefreshScope(client="north", limit=3)
    ask(connection, RefreshRequest("r-1", kind, "api", scope, force=kind == "full"))
    (first,), (again,) = tick("refresh_requests"), tick("refresh_requests")
    assert first.run_key == again.run_key == "r-1"
    assert first.job_name == job
    assert execute(definitions, instance, first)
    assert tick("refresh_requests") == NONE
    row = connection.execute(
        "select kind, asked_by, forced, scope ->> 'client', total from library.refresh"
    ).fetchone()
    assert row == (kind, "api", kind == "full", "north", 0 if kind == "retry" else 3)
    assert not execute(definitions, instance, again)  # should two daemons start it
    assert len(connection.execute("select from pipeline.refresh").fetchall()) == 1


def test_a_reembed_and_a_retry_of_chosen_components_can_be_asked_for(
    tick: Ticks,
    refresh: Refresh,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    connection: psycopg.Connection,
    cms: SampleCms,
) -> None:
    cms.faults = Faults(files=(FileFault("c-1"), FileFault("c-2")))
    refresh()
    ask(connection, RefreshRequest("all", "reembed", "api"))
    ask(connection, RefreshRequest("one", "retry", "api", RefreshScope(only=("c-1",))))
    reembed, retry = tick("refresh_requests")
    assert (reembed.job_name, list(reembed.run_config["ops"])) == ("reembed", [PLAN])
    assert execute(definitions, instance, reembed)
    assert execute(definitions, instance, retry)
    assert read_result(connection, "all").kind == "reembed"
    assert (read_result(connection, "one").kind, read_result(connection, "one").total) == (
        "retry",
        1,
    )


def test_a_run_that_waits_for_its_turn_has_taken_the_request(
    tick: Ticks,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    connection: psycopg.Connection,
) -> None:
    ask(connection, RefreshRequest("r-1", "incremental", "api"))
    (request,) = tick("refresh_requests")
    run = run_of(definitions, instance, request)
    assert tick("refresh_requests") == NONE
    assert open_requests(connection)[0].run_id == run.run_id
    instance.delete_run(run.run_id)  # somebody has wiped Dagster's runs
    assert [each.run_key for each in tick("refresh_requests")] == ["r-1"]


def test_a_run_that_dies_before_it_has_planned_is_asked_for_again_a_few_times(
    tick: Ticks,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    connection: psycopg.Connection,
) -> None:
    ask(connection, RefreshRequest("r-1", "incremental", "api"))
    keys = []
    for _ in range(MAX_ATTEMPTS):
        (request,) = tick("refresh_requests")
        keys.append(request.run_key)
        run = run_of(definitions, instance, request)
        instance.report_run_failed(run, "its code could not be loaded")
    assert keys == ["r-1", "r-1:plan:2", "r-1:plan:3"]
    assert tick("refresh_requests") == NONE
    failed = read_result(connection, "r-1")
    assert failed.state == "failed"
    assert "its code could not be loaded" in str(failed.error)


def test_a_request_that_fails_before_its_plan_names_what_the_code_said(
    tick: Ticks,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    connection: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "library_pipeline.defs.resources.EncodersResource.register", lambda *_: 1 / 0
    )
    ask(connection, RefreshRequest("r-1", "incremental", "api"))
    (request,) = tick("refresh_requests")
    assert not execute(definitions, instance, request)
    (again,) = tick("refresh_requests")
    assert again.run_key == "r-1:plan:2"
    assert open_requests(connection)[0].problem == "division by zero"


def test_a_plan_that_fails_with_a_reason_is_on_record_and_not_asked_for_again(
    tick: Ticks,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    connection: psycopg.Connection,
    cms: SampleCms,
) -> None:
    cms.faults = Faults(manifest=frozenset({"not_json"}))
    ask(connection, RefreshRequest("r-1", "incremental", "api"))
    (request,) = tick("refresh_requests")
    assert not execute(definitions, instance, request)
    assert tick("refresh_requests") == NONE
    assert "JSON" in str(read_result(connection, "r-1").error)


@pytest.mark.parametrize("stopped", [False, True])
def test_a_planner_that_is_killed_is_replaced_unless_a_person_terminated_it(
    tick: Ticks,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    connection: psycopg.Connection,
    stopped: bool,
) -> None:
    """Its refresh is on record by then, as being planned; it gets the same id again."""
    from library_pipeline.refresh.log import create_refresh

    request = RefreshRequest("r-1", "incremental", "api")
    ask(connection, request)
    (asked,) = tick("refresh_requests")
    run = run_of(definitions, instance, asked)
    create_refresh(connection, request, run_id=run.run_id)
    if stopped:
        instance.report_run_canceled(run)
    RECOVERY.recover(instance, connection)
    if stopped:
        assert tick("refresh_requests") == NONE
        assert read_result(connection, "r-1").state == "failed"
        return
    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE  # type: ignore[union-attr]
    (again,) = tick("refresh_requests")
    assert execute(definitions, instance, again)
    done = read_refresh(connection, "r-1")
    assert done is not None and done.planned == 6


def test_a_terminated_run_and_a_withdrawn_request_are_not_asked_for_again(
    tick: Ticks,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    connection: psycopg.Connection,
) -> None:
    ask(connection, RefreshRequest("r-1", "incremental", "api"))
    (request,) = tick("refresh_requests")
    instance.report_run_canceled(run_of(definitions, instance, request))
    assert tick("refresh_requests") == NONE
    assert read_result(connection, "r-1").state == "cancelled"
    ask(connection, RefreshRequest("r-2", "incremental", "api"))
    (request,) = tick("refresh_requests")
    assert cancel_refresh(connection, "r-2")  # while its run is on its way
    assert not execute(definitions, instance, request)
    assert tick("refresh_requests") == NONE
    assert read_result(connection, "r-2").state == "cancelled"
