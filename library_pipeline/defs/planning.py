"""From a request for a refresh to the run that plans it, and from such a run to why it failed."""

from __future__ import annotations

import dagster as dg
from dagster_shared.error import SerializableErrorInfo

from library_pipeline.catalog.refresh import RefreshRequest
from library_pipeline.defs.assets import ASKED_BY_TAG
from library_pipeline.defs.config import ManifestConfig, ReembedConfig
from library_pipeline.defs.reembedding import PLAN
from library_pipeline.defs.requests import REFRESH_TAG
from library_pipeline.store.requests import OpenRequest


def planning_run(
    request: RefreshRequest, *, approve_removals: bool = False
) -> tuple[str, dg.RunConfig]:
    """Return the job that plans `request` and its configuration."""
    if request.kind == "reembed":
        return "reembed", dg.RunConfig(ops={PLAN: ReembedConfig.of(request)})
    config = ManifestConfig.of(request).model_copy(update={"approve_removals": approve_removals})
    job = "full_refresh" if request.kind == "full" else "incremental_refresh"
    return job, dg.RunConfig(ops={"cms_manifest": config})


def planning_request(asked: OpenRequest) -> dg.RunRequest:
    """Return the request for the run that plans what was asked for.

    Asking twice is harmless: Dagster knows the run_key, and a refresh's id is used once.
    """
    job, config = planning_run(asked.request)
    return dg.RunRequest(
        job_name=job,
        run_key=planning_run_key(asked),
        run_config=config.to_config_dict(),
        tags={REFRESH_TAG: asked.refresh_id, ASKED_BY_TAG: asked.request.asked_by},
    )


def planning_run_key(asked: OpenRequest) -> str:
    """Return the run_key of the request's current attempt: the refresh's id at first."""
    return asked.refresh_id if asked.attempt == 1 else f"{asked.refresh_id}:plan:{asked.attempt}"


def reason_of(error: SerializableErrorInfo | None) -> str:
    """Return the words of the error that our code raised; Dagster wraps it in one of its own."""
    if error is None:
        return ""
    ours = error.cause or error
    return ours.message.partition(": ")[2].strip()  # behind the name of its class


def why_run_failed(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    """Return why a run that has ended did not do what it should, in a sentence."""
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        event = entry.dagster_event
        if event and (reason := reason_of(event.step_failure_data.error)):
            return reason
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE):
        if entry.dagster_event and entry.dagster_event.message:
            return entry.dagster_event.message
    return f"Dagster's run {run.run_id} has the reason"
