"""Sensors: cheap when nothing happened, never twice for the same, and after any death."""

from __future__ import annotations

import dagster as dg
import psycopg

from library_pipeline.database.connection import Database, lease
from library_pipeline.refresh.chunks import claim
from library_pipeline.sample_cms import Faults, SampleCms
from library_pipeline_tests.support.dagster_instance import Refresh
from library_pipeline_tests.support.ticks import Ticks, plan
from tools.testing.bundles import write_bundle


def forget_last_poll(connection: psycopg.Connection) -> None:
    """Have the next tick poll at once: on a slow machine the last poll is rested from."""
    connection.execute("update pipeline.manifest set polled_at = null")


def test_a_new_library_is_planned_and_an_unchanged_one_costs_one_request(
    tick: Ticks, refresh: Refresh, connection: psycopg.Connection, cms: SampleCms
) -> None:
    (request,) = tick("cms_changes")
    assert isinstance(request, dg.RunRequest)
    refresh()
    cms.requests.clear()
    assert tick("cms_changes") == "the CMS has not changed and nothing is due for another try"
    assert dict(cms.requests) == {"/components": 1}
    forget_last_poll(connection)
    write_bundle(cms.folder, "c-9")
    assert len(tick("cms_changes")) == 1


def test_what_a_refresh_has_under_way_is_not_planned_again(
    tick: Ticks,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    connection: psycopg.Connection,
    cms: SampleCms,
) -> None:
    plan(definitions, instance)
    assert tick("cms_changes") == "the CMS has not changed and nothing is due for another try"
    forget_last_poll(connection)
    write_bundle(cms.folder, "c-9")  # a change comes in while the first refresh goes on
    assert len(tick("cms_changes")) == 1
    plan(definitions, instance)
    assert [request.tags["library/components"] for request in tick("refresh_chunks")] == ["6", "1"]


def test_after_plans_have_failed_the_sensor_waits_longer_each_time(
    tick: Ticks, definitions: dg.Definitions, instance: dg.DagsterInstance, cms: SampleCms
) -> None:
    cms.faults = Faults(manifest=frozenset({"not_json"}))
    job = definitions.resolve_job_def("incremental_refresh")
    config = {"ops": {"cms_manifest": {"config": {"refresh": "incremental"}}}}
    assert len(tick("cms_changes")) == 1
    assert not job.execute_in_process(
        instance=instance, run_config=config, raise_on_error=False
    ).success
    assert "the last 1 refreshes could not be planned" in tick("cms_changes")


def test_a_waiting_chunk_is_asked_for_until_a_run_claims_it(
    tick: Ticks, definitions: dg.Definitions, instance: dg.DagsterInstance, database: Database
) -> None:
    plan(definitions, instance)
    (first,), (again,) = tick("refresh_chunks"), tick("refresh_chunks")
    assert first.run_key == again.run_key
    config = first.run_config["ops"]["refresh_components"]["config"]
    with lease(database, "run"), database.connect() as connection:
        assert claim(connection, config["refresh_id"], config["chunk"], "run")
        assert tick("refresh_chunks") == "no chunk waits for a run"
    (retry,) = tick("refresh_chunks")  # the lease is gone with its holder
    assert retry.run_key != first.run_key
    assert retry.run_config == first.run_config


def test_a_run_that_ended_before_it_claimed_its_chunk_is_asked_for_anew(
    tick: Ticks, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    """Dagster drops a repeated run_key, so the chunk would wait for good."""
    plan(definitions, instance)
    (first,) = tick("refresh_chunks")
    job = definitions.resolve_job_def("refresh_chunk")
    run = instance.create_run_for_job(job, tags={"dagster/run_key": str(first.run_key)})
    instance.report_run_failed(run, "its code could not be loaded")
    (again,) = tick("refresh_chunks")
    assert again.run_key != first.run_key
    assert again.run_config == first.run_config


def test_the_requested_run_does_the_chunk(
    tick: Ticks, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    plan(definitions, instance)
    (request,) = tick("refresh_chunks")
    job = definitions.resolve_job_def("refresh_chunk")
    assert job.execute_in_process(instance=instance, run_config=request.run_config).success
    (closing,) = tick("refresh_chunks")
    assert closing.job_name == "close_refresh"
    job = definitions.resolve_job_def("close_refresh")
    assert job.execute_in_process(instance=instance).success
    assert tick("refresh_chunks") == "no chunk waits for a run"
    assert tick("cms_changes") == "the CMS has not changed and nothing is due for another try"


def test_without_a_cms_the_sensor_says_what_to_set(
    database: Database, instance: dg.DagsterInstance
) -> None:
    import importlib

    import library_pipeline.definitions as module

    tick = Ticks(importlib.reload(module).defs, instance)
    assert tick("cms_changes") == "no CMS is configured: set cms.base_url in library.yaml"
