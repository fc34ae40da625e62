"""Runs whose process died with the code server: only a recovery frees their slots."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from library_pipeline.database.connection import Database, lease, lease_is_free
from library_pipeline.defs import recovery, resources
from library_pipeline.defs.jobs import ASSETS, JOBS, RECOVERY

STARTED = dg.DagsterRunStatus.STARTED
JOB_NAMES = [job.name for job in JOBS]
ASSET_JOB = "__ASSET_JOB"  # what the UI starts for *Materialize*
ASSET_KEYS = sorted((key for asset in ASSETS for key in asset.keys), key=str)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run counts as settled from its start."""
    monkeypatch.setattr(recovery, "_SETTLED_AFTER", timedelta(0))
    monkeypatch.setattr(recovery, "_SECOND_LOOK_SECONDS", 0.0)


def status(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    now = instance.get_run_by_id(run.run_id)
    assert now
    return now.status


def started_run(
    definitions: dg.Definitions, instance: dg.DagsterInstance, job: str, **terms: Any
) -> dg.DagsterRun:
    resolved = definitions.get_repository_def().get_job(job)
    return instance.create_run_for_job(resolved, status=STARTED, **terms)


def test_these_are_all_the_jobs_and_assets_that_the_ui_can_start(
    definitions: dg.Definitions,
) -> None:
    repository = definitions.get_repository_def()
    assert {job.name for job in repository.get_all_jobs()} == {*JOB_NAMES, ASSET_JOB}
    assert {*repository.asset_graph.executable_asset_keys} == {*ASSET_KEYS}


@pytest.mark.parametrize("job", JOB_NAMES)
def test_a_run_that_died_without_a_claim_is_reported(
    at_once: None,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    database: Database,
    job: str,
) -> None:
    """Left as started it would stop the chunk that waits for it, and every next plan."""
    run = started_run(definitions, instance, job)
    with database.connect() as connection:
        with lease(database, run.run_id):
            RECOVERY.recover(instance, connection)
            assert status(instance, run) is STARTED
        RECOVERY.recover(instance, connection)
    assert status(instance, run) is dg.DagsterRunStatus.FAILURE


@pytest.mark.parametrize("key", ASSET_KEYS, ids=str)
def test_a_materialization_from_the_ui_that_died_is_reported(
    at_once: None,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    database: Database,
    key: dg.AssetKey,
) -> None:
    run = started_run(definitions, instance, ASSET_JOB, asset_selection=frozenset({key}))
    with database.connect() as connection:
        RECOVERY.recover(instance, connection)
    assert status(instance, run) is dg.DagsterRunStatus.FAILURE


@dg.op
def foreign_op() -> None:
    """Does nothing, and holds no lease."""


@dg.job(name="another_teams_job")
def foreign_job() -> None:
    foreign_op()


@dg.asset
def another_teams_asset() -> None:
    """Does nothing, and holds no lease."""


@dg.asset(key="atlas")
def asset_of_the_same_key() -> None:
    """Does nothing, and holds no lease."""


def test_runs_of_others_on_the_same_instance_are_left_alone(
    at_once: None, instance: dg.DagsterInstance, database: Database
) -> None:
    others = dg.Definitions(assets=[another_teams_asset, asset_of_the_same_key], jobs=[foreign_job])
    both = frozenset({another_teams_asset.key, asset_of_the_same_key.key})
    runs = [
        started_run(others, instance, "another_teams_job"),
        started_run(others, instance, ASSET_JOB, asset_selection=both),
    ]
    with database.connect() as connection:
        RECOVERY.recover(instance, connection)
    assert [status(instance, run) for run in runs] == [STARTED, STARTED]


def test_a_run_that_has_just_started_may_not_have_its_lease_yet(
    definitions: dg.Definitions, instance: dg.DagsterInstance, database: Database
) -> None:
    run = started_run(definitions, instance, "incremental_refresh")
    with database.connect() as connection:
        RECOVERY.recover(instance, connection)
    assert status(instance, run) is STARTED


@pytest.mark.parametrize("job", JOB_NAMES)
def test_every_run_holds_its_lease_from_its_first_step_to_its_last(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    job: str,
) -> None:
    """A started run without a lease counts as dead, so each step and each gap needs one."""
    handle = instance.handle_new_event
    free: list[str] = []

    def note(event: Any, *args: Any, **terms: Any) -> None:
        name = event.dagster_event.event_type_value if event.dagster_event else ""
        if name in ("STEP_START", "STEP_SUCCESS", "STEP_FAILURE"):
            with database.connect() as connection:
                if lease_is_free(connection, event.run_id):
                    free.append(name)
            seen.append(name)
        handle(event, *args, **terms)

    seen: list[str] = []
    monkeypatch.setattr(instance, "handle_new_event", note)
    definitions.resolve_job_def(job).execute_in_process(instance=instance, raise_on_error=False)
    assert "STEP_START" in seen
    assert free == []


def test_a_sensors_evaluation_takes_no_lease(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "lease", lambda *_: 1 / 0)
    with (
        dg.build_resources({"database": resources.DatabaseResource()}) as built,
        built.database.open() as opened,
    ):
        assert opened.url == database.url
