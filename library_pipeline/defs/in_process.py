"""A whole refresh in this process: the same jobs that sensors start, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg
from dagster_shared.error import SerializableErrorInfo

from library_pipeline.catalog.refresh import AskedBy, RefreshKind, RefreshResult, RefreshScope
from library_pipeline.defs.assets import ASKED_BY_TAG, REFRESH_TAG
from library_pipeline.store.chunks import lease, pending_numbers
from library_pipeline.store.database import Database
from library_pipeline.store.refreshes import fail_refresh, result

# A person watches counts and reads the table at the end; the runs' own logs are in the UI.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


_INTERRUPTIONS = ("KeyboardInterrupt", "CancelledError", "DagsterExecutionInterruptedError")


class RefreshError(Exception):
    """The refresh could not be planned, or was stopped by something larger than a component."""


def run_refresh(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    database: Database,
    *,
    refresh_id: str,
    kind: RefreshKind,
    scope: RefreshScope,
    asked_by: AskedBy,
    allow_removals: bool = False,
) -> RefreshResult:
    """Plan the refresh and do its chunks; every step is a Dagster run that the UI shows.

    Raises RefreshError, with the reason, where the refresh ended before its components did.
    """
    tags = {ASKED_BY_TAG: asked_by, REFRESH_TAG: refresh_id}
    terms = {
        "refresh": kind,
        "client": scope.client,
        "limit": scope.limit,
        "allow_removals": allow_removals,
        "refresh_id": refresh_id,
        "in_process": True,
    }
    plan_job = "full_refresh" if kind == "full" else "incremental_refresh"
    with lease(database, refresh_id), _closed_on_error(database, refresh_id):
        _execute(definitions, instance, plan_job, "cms_manifest", terms, tags)
        with database.connect() as connection:
            chunks = pending_numbers(connection, refresh_id)
        for chunk in chunks:
            config = {"refresh_id": refresh_id, "chunk": chunk}
            _execute(definitions, instance, "refresh_chunk", "refresh_components", config, tags)
    with database.connect() as connection:
        return result(connection, refresh_id)


@contextmanager
def _closed_on_error(database: Database, refresh_id: str) -> Iterator[None]:
    """Have a refresh that stops on record as failed, with its reason."""
    try:
        yield
    except RefreshError as error:
        with database.connect() as connection:
            fail_refresh(connection, refresh_id, str(error))
        raise


def _execute(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    job: str,
    op: str,
    config: Mapping[str, Any],
    tags: Mapping[str, str],
) -> None:
    """Run a job; a run that failed because components did is no error here, they are on record."""
    outcome = definitions.resolve_job_def(job).execute_in_process(
        instance=instance,
        run_config={"ops": {op: {"config": dict(config)}}, **_QUIET},
        tags=dict(tags),
        raise_on_error=False,
    )
    for event in outcome.all_events:
        failure = event.step_failure_data if event.is_step_failure else None
        if failure is None or failure.user_failure_data is not None:
            continue  # dg.Failure: components failed, which is recorded one by one
        raise RefreshError(_reason(failure.error) or f"job {job} failed; its run has the reason")


def _reason(error: SerializableErrorInfo | None) -> str:
    """Return the words of the error that our code raised; Dagster wraps it in one of its own."""
    if error is None:
        return ""
    ours = error.cause or error
    if ours.cls_name in _INTERRUPTIONS:
        return "it was interrupted; what is stored stays, and the next refresh does the rest"
    return ours.message.removeprefix(f"{ours.cls_name}: ").partition(": ")[2].strip()
