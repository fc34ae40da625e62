"""The Dagster instance of a library, and refreshes whose runs this process executes in it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from dagster_shared.error import SerializableErrorInfo

from library_pipeline.catalog.errors import LibraryError
from library_pipeline.catalog.refresh import Refresh, RefreshRequest
from library_pipeline.database.connection import Database, lease
from library_pipeline.defs.assets import ASKED_BY_TAG, PLAN, ManifestConfig, ReembedConfig
from library_pipeline.defs.components import chunk_config
from library_pipeline.defs.storage import sensors_run
from library_pipeline.refresh.chunks import next_chunk, pending_chunks
from library_pipeline.refresh.closing import stop_refresh, unchecked_refreshes
from library_pipeline.refresh.log import RefreshExistsError, read_refresh, read_result
from library_pipeline.refresh.requests import OpenRequest
from library_pipeline.settings import (
    DAGSTER_DATABASE_VARIABLE,
    DATABASE_VARIABLE,
    Settings,
    environment,
)
from library_pipeline.shipped import shipped

REFRESH_TAG = "library/refresh"
# The terminal shows counts and a table; the logs of the runs are in the UI.
_QUIET = {"console": {"config": {"log_level": "CRITICAL"}}}
_INTERRUPTIONS = {"KeyboardInterrupt", "CancelledError", "DagsterExecutionInterruptedError"}


def instance_environment(settings: Settings, database: Database) -> Mapping[str, str]:
    """Return the environment variables with which a Dagster process works on this library."""
    return {
        **environment(settings),
        DATABASE_VARIABLE: database.url,
        DAGSTER_DATABASE_VARIABLE: database.dagster_url,
        "DAGSTER_HOME": str(_dagster_home(settings)),
    }


@contextmanager
def open_instance(settings: Settings, database: Database) -> Iterator[dg.DagsterInstance]:
    """Yield the instance that the UI shows; inside, this process's environment points to it."""
    variables = instance_environment(settings, database)
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        with dg.DagsterInstance.from_config(variables["DAGSTER_HOME"]) as instance:
            yield instance
    finally:
        # A variable left behind would look like a configured database to the next reader.
        for name in variables:
            os.environ.pop(name)
            if name in before:
                os.environ[name] = before[name]


def _dagster_home(settings: Settings) -> Path:
    """Return the folder with dagster.yaml: $DAGSTER_HOME, else one below the library's home."""
    if given := os.environ.get("DAGSTER_HOME"):
        return Path(given)
    home = settings.home / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    config, wanted = home / "dagster.yaml", shipped("dagster.yaml").read_text()
    if not config.exists() or config.read_text() != wanted:
        config.write_text(wanted)
    return home


class RefreshError(LibraryError):
    """The refresh could not be planned, or was stopped by something larger than a component."""

    def __init__(self, message: str, *, code: str = "refresh.failed") -> None:
        super().__init__(code, message)


class RefreshInterrupted(RefreshError):
    """A person or the system stopped the refresh; its stored components stay."""

    def __init__(self) -> None:
        super().__init__(
            "it was interrupted; the next refresh does what it had not reached",
            code="refresh.interrupted",
        )


def run_refresh(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    database: Database,
    request: RefreshRequest,
    *,
    approve_removals: bool = False,
) -> Refresh:
    """Plan the refresh and do its chunks; every step is a Dagster run that the UI shows.

    If no daemon is alive, a refresh of the whole library also does the chunks that wait for
    sensors. Raises RefreshExistsError for a known id, RefreshInterrupted after a signal, and
    RefreshError with the reason if the refresh ended before all components were done.
    """
    jobs = _Jobs(definitions, instance, request)
    with database.connect() as connection:
        if read_refresh(connection, request.refresh_id):
            raise RefreshExistsError(request.refresh_id)
    with lease(database, request.refresh_id), _closed_on_error(database, request.refresh_id):
        jobs.run(*planning_run(request, approve_removals=approve_removals))
        while (chunk := _next_chunk(database, request.refresh_id)) is not None:
            jobs.do_chunk(request.refresh_id, chunk)
    # A reembed works without the CMS, but the chunks that were left over may need it.
    if request.scope.whole and request.kind != "reembed" and not sensors_run(instance):
        _do_what_sensors_left(jobs, database)
    with database.connect() as connection:
        unchecked = unchecked_refreshes(connection)
    if unchecked:
        jobs.run("close_refresh", dg.RunConfig())
    with database.connect() as connection:
        return read_result(connection, request.refresh_id)


@dataclass(frozen=True, slots=True)
class _Jobs:
    """Runs the jobs of one refresh in this process."""

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    request: RefreshRequest

    def do_chunk(self, refresh_id: str, chunk: int) -> None:
        """Do one chunk of this refresh, or of another one that was left over."""
        self.run("refresh_chunk", chunk_config(refresh_id, chunk), refresh_id)

    def run(self, job: str, config: dg.RunConfig, refresh_id: str | None = None) -> None:
        """Run a job; a run that failed only because components did is no error."""
        outcome = self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            run_config={**config.to_config_dict(), "loggers": _QUIET},
            tags={
                ASKED_BY_TAG: self.request.asked_by,
                REFRESH_TAG: refresh_id or self.request.refresh_id,
            },
            raise_on_error=False,
        )
        began = False
        for event in outcome.all_events:
            began = began or event.is_step_start
            if event.is_step_failure:
                failure = event.step_failure_data
                # dg.Failure says that components failed, and each of them is on record.
                if failure.user_failure_data is None:
                    _raise(failure.error, job)
            elif event.is_failure and not began and event.event_type_value == "PIPELINE_FAILURE":
                _raise(event.job_failure_data.error, job)


def _next_chunk(database: Database, refresh_id: str) -> int | None:
    with database.connect() as connection:
        return next_chunk(connection, refresh_id)


def _do_what_sensors_left(jobs: _Jobs, database: Database) -> None:
    while True:
        with database.connect() as connection:
            waiting = pending_chunks(connection, limit=1)
        if not waiting:
            return
        jobs.do_chunk(waiting[0].refresh_id, waiting[0].number)


@contextmanager
def _closed_on_error(database: Database, refresh_id: str) -> Iterator[None]:
    """Record why the refresh stopped, if it stops early."""
    try:
        yield
    except (RefreshError, KeyboardInterrupt) as error:
        stopped = error if isinstance(error, RefreshError) else RefreshInterrupted()
        by_hand = isinstance(stopped, RefreshInterrupted)
        with database.connect() as connection:
            stop_refresh(
                connection, refresh_id, str(stopped), state="cancelled" if by_hand else "failed"
            )
        raise stopped from error


def _raise(error: SerializableErrorInfo | None, job: str) -> None:
    """Raise RefreshInterrupted after a signal, else RefreshError with the reason."""
    if error and _INTERRUPTIONS & {error.cls_name, error.cause.cls_name if error.cause else None}:
        raise RefreshInterrupted
    raise RefreshError(_reason_of(error) or f"job {job} failed; its run has the reason")


def planning_run(
    request: RefreshRequest, *, approve_removals: bool = False
) -> tuple[str, dg.RunConfig]:
    """Return the job that plans `request` and its configuration."""
    if request.kind == "reembed":
        return "reembed", dg.RunConfig(ops={PLAN: ReembedConfig.of(request)})
    config = ManifestConfig.of(request).model_copy(update={"approve_removals": approve_removals})
    job = "full_refresh" if request.kind == "full" else "incremental_refresh"
    return job, dg.RunConfig(ops={"cms_manifest": config})


def planning_run_request(asked: OpenRequest) -> dg.RunRequest:
    """Return the request for the run that plans the refresh `asked` for."""
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


def _reason_of(error: SerializableErrorInfo | None) -> str:
    """Return the message of the error that our code raised, out of Dagster's own error."""
    if error is None:
        return ""
    ours = error.cause or error
    return ours.message.partition(": ")[2].strip()  # without the name of its class


def why_run_failed(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    """Return in a sentence why a run failed."""
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        event = entry.dagster_event
        if event and (reason := _reason_of(event.step_failure_data.error)):
            return reason
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE):
        if entry.dagster_event and entry.dagster_event.message:
            return entry.dagster_event.message
    return f"Dagster's run {run.run_id} has the reason"
