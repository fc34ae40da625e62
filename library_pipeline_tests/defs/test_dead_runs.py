"""Runs whose process died with the code server: nobody else reports them, others wait for them."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg
import pytest

from library_pipeline.defs import recovery
from library_pipeline.defs.recovery import recover
from library_pipeline.store.database import Database
from library_pipeline.store.leases import lease

JOBS = ["incremental_refresh", "full_refresh", "refresh_chunk", "close_refresh", "collect_garbage"]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run counts as settled from its start."""
    monkeypatch.setattr(recovery, "_SETTLED_AFTER", timedelta(0))
    monkeypatch.setattr(recovery, "_SECOND_LOOK_SECONDS", 0.0)


def status(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    now = instance.get_run_by_id(run.run_id)
    assert now
    return now.status


@pytest.mark.parametrize("job", JOBS)
def test_a_run_that_died_without_a_claim_is_reported(
    at_once: None,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    database: Database,
    job: str,
) -> None:
    """Left as started it would stop the chunk that waits for it, and every next plan."""
    started = dg.DagsterRunStatus.STARTED
    run = instance.create_run_for_job(definitions.resolve_job_def(job), status=started)
    with database.connect() as connection:
        with lease(database, run.run_id):
            recover(instance, connection)
            assert status(instance, run) is started
        recover(instance, connection)
    assert status(instance, run) is dg.DagsterRunStatus.FAILURE


def test_a_run_that_has_just_started_may_not_have_its_lease_yet(
    definitions: dg.Definitions, instance: dg.DagsterInstance, database: Database
) -> None:
    started = dg.DagsterRunStatus.STARTED
    job = definitions.resolve_job_def("incremental_refresh")
    run = instance.create_run_for_job(job, status=started)
    with database.connect() as connection:
        recover(instance, connection)
    assert status(instance, run) is started


@pytest.mark.parametrize("job", ["incremental_refresh", "close_refresh", "collect_garbage"])
def test_every_run_holds_its_lease_while_it_works(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    job: str,
) -> None:
    held: list[str] = []
    for module in ("assets", "checks", "garbage"):

        def note(of: Database, *names: str) -> object:
            held.extend(names)
            return lease(of, *names)

        monkeypatch.setattr(f"library_pipeline.defs.{module}.lease", note)
    outcome = definitions.resolve_job_def(job).execute_in_process(instance=instance)
    assert outcome.run_id in held
