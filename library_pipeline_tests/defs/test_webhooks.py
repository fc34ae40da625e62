"""Calls lead to plans: at once, one for many, one more for those during a plan, none twice."""

from __future__ import annotations

import dagster as dg
import psycopg
import pytest

from library_pipeline.refresh.planning import pending_call, record_call
from library_pipeline.sample_cms import Faults, SampleCms
from library_pipeline_tests.support.dagster_instance import Refresh
from library_pipeline_tests.support.ticks import Ticks, plan

NONE = "no CMS has called since the last plan began"
PLANNING = "a refresh is being planned; one for the last call comes after it"


def queued(definitions: dg.Definitions, instance: dg.DagsterInstance) -> dg.DagsterRun:
    """Return a run as the daemon makes it of the sensor's request."""
    job = definitions.resolve_job_def("incremental_refresh")
    return instance.create_run_for_job(job, tags={"dagster/sensor_name": "webhook_calls"})


def test_a_call_is_planned_once_however_often_it_was_made(
    tick: Ticks,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    connection: psycopg.Connection,
) -> None:
    assert tick("webhook_calls") == NONE
    for source in ("cms", "shop", "cms"):
        record_call(connection, source)
    (asked,) = tick("webhook_calls")
    assert isinstance(asked, dg.RunRequest)
    assert asked.run_key is None  # a later call asks for the same again
    run = queued(definitions, instance)
    assert tick("webhook_calls") == PLANNING
    instance.delete_run(run.run_id)
    assert len(tick("webhook_calls")) == 1  # the tick died before its run was made
    plan(definitions, instance)
    assert tick("webhook_calls") == NONE


def test_a_call_during_a_plan_has_one_more_made_after_it(
    tick: Ticks,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    connection: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The plan may have read the CMS's list just before the change."""
    from library_pipeline.refresh import planning

    seen: list[object] = []
    make_plan = planning.make_plan

    def called_meanwhile(*args, **terms):
        record_call(connection, "cms")
        seen.append(tick("webhook_calls"))
        return make_plan(*args, **terms)

    record_call(connection, "cms")
    with monkeypatch.context() as patch:
        patch.setattr(planning, "make_plan", called_meanwhile)
        plan(definitions, instance)
    assert seen == [PLANNING]
    assert len(tick("webhook_calls")) == 1
    plan(definitions, instance)
    assert tick("webhook_calls") == NONE


def test_a_plan_that_fails_has_seen_nothing_and_the_pause_after_it_holds(
    tick: Ticks,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    connection: psycopg.Connection,
    cms: SampleCms,
) -> None:
    record_call(connection, "cms")
    cms.faults = Faults(manifest=frozenset({"not_json"}))
    with pytest.raises(Exception, match="JSON"):
        plan(definitions, instance)
    record_call(connection, "cms")
    assert "the last 1 refreshes could not be planned" in tick("webhook_calls")
    connection.execute("update pipeline.refresh set finished_at = now() - interval '31 seconds'")
    assert len(tick("webhook_calls")) == 1


def test_runs_that_fail_before_their_refresh_is_on_record_are_not_asked_for_every_five_seconds(
    tick: Ticks,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    connection: psycopg.Connection,
) -> None:
    record_call(connection, "cms")
    instance.report_run_failed(queued(definitions, instance), "its code could not be loaded")
    assert "the last 1 refreshes could not be planned" in tick("webhook_calls")
    plan(definitions, instance)  # somebody has repaired it
    record_call(connection, "cms")
    assert len(tick("webhook_calls")) == 1


def test_only_plans_for_the_whole_library_answer_a_call(
    refresh: Refresh, connection: psycopg.Connection
) -> None:
    record_call(connection, "cms")
    refresh("incremental", client="north")
    refresh("retry")
    assert pending_call(connection)
    refresh("full")
    assert pending_call(connection) is None


def test_the_sensor_runs_by_itself_where_there_is_a_webhook(
    cms: SampleCms, monkeypatch: pytest.MonkeyPatch
) -> None:
    from library_pipeline.definitions import library_definitions
    from library_pipeline.settings import load_settings

    def status() -> dg.DefaultSensorStatus:
        definitions = library_definitions(load_settings())
        return definitions.get_repository_def().get_sensor_def("webhook_calls").default_status

    assert status() is dg.DefaultSensorStatus.STOPPED
    monkeypatch.setenv("LIBRARY_CMS_WEBHOOK_SECRET_ENV", "CALLS_SECRET")
    assert status() is dg.DefaultSensorStatus.RUNNING
