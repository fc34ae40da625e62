"""A whole refresh in this process: the same jobs that sensors start, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dagster as dg
from dagster_shared.error import SerializableErrorInfo

from library_pipeline.catalog.errors import LibraryError
from library_pipeline.catalog.refresh import Refresh, RefreshRequest
from library_pipeline.defs.assets import ASKED_BY_TAG
from library_pipeline.defs.dagster_storage import sensors_run
from library_pipeline.defs.planning import planning_run, reason_of
from library_pipeline.defs.requests import REFRESH_TAG, chunk_config
from library_pipeline.store.chunks import next_chunk, pending_chunks
from library_pipeline.store.closing import stop_refresh, unchecked_refreshes
from library_pipeline.store.database import Database
from library_pipeline.store.leases import lease
from library_pipeline.store.log import RefreshExistsError, read_refresh, read_result

# A person watches counts and reads the table at the end; the runs' own logs are in the UI.
_QUIET = {"console": {"config": {"log_level": "CRITICAL"}}}

_INTERRUPTIONS = {"KeyboardInterrupt", "CancelledError", "DagsterExecutionInterruptedError"}


class RefreshError(LibraryError):
    """The refresh could not be planned, or was stopped by something larger than a component."""

    def __init__(self, message: str, *, code: str = "refresh.failed") -> None:
        super().__init__(code, message)


class RefreshInterrupted(RefreshError):
    """A person or the system told the refresh to stop; what it has stored stays."""

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

    Where no daemon is alive to do them, a refresh of the whole library also does the chunks that
    sensors were meant to start. Raises RefreshError, with the reason, where the refresh ended
    before its components did, RefreshInterrupted, and RefreshExistsError for an id used before.
    """
    jobs = _Jobs(definitions, instance, request)
    _check_new(database, request.refresh_id)
    with lease(database, request.refresh_id), _closed_on_error(database, request.refresh_id):
        jobs.plan(approve_removals=approve_removals)
        while (chunk := _next_chunk(database, request.refresh_id)) is not None:
            jobs.do_chunk(request.refresh_id, chunk)
    # A reembed does not ask the CMS, and what was left over might have to.
    if request.scope.whole and request.kind != "reembed" and not sensors_run(instance):
        _do_what_sensors_left(jobs, database)
    with database.connect() as connection:
        unchecked = unchecked_refreshes(connection)
    if unchecked:
        jobs.execute("close_refresh", dg.RunConfig())
    with database.connect() as connection:
        return read_result(connection, request.refresh_id)


def _check_new(database: Database, refresh_id: str) -> None:
    with database.connect() as connection:
        if read_refresh(connection, refresh_id):
            raise RefreshExistsError(refresh_id)


class _Jobs:
    """Runs the jobs of one refresh in this process."""

    def __init__(
        self, definitions: dg.Definitions, instance: dg.DagsterInstance, request: RefreshRequest
    ) -> None:
        self._definitions = definitions
        self._instance = instance
        self._request = request

    def plan(self, *, approve_removals: bool) -> None:
        """Plan the refresh."""
        self.execute(*planning_run(self._request, approve_removals=approve_removals))

    def do_chunk(self, refresh_id: str, chunk: int) -> None:
        """Do one chunk, of this refresh or of one that was left over."""
        self.execute("refresh_chunk", chunk_config(refresh_id, chunk), refresh_id)

    def execute(self, job: str, config: dg.RunConfig, refresh_id: str | None = None) -> None:
        """Run a job; one that failed because components did is no error, they are on record."""
        outcome = self._definitions.resolve_job_def(job).execute_in_process(
            instance=self._instance,
            run_config={**config.to_config_dict(), "loggers": _QUIET},
            tags=self._tags(refresh_id or self._request.refresh_id),
            raise_on_error=False,
        )
        for event in outcome.all_events:
            failure = event.step_failure_data if event.is_step_failure else None
            if failure is None or failure.user_failure_data is not None:
                continue  # dg.Failure: components failed, which is recorded one by one
            _raise(failure.error, job)

    def _tags(self, refresh_id: str) -> Mapping[str, str]:
        return {ASKED_BY_TAG: self._request.asked_by, REFRESH_TAG: refresh_id}


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
    """Have a refresh that stops on record with its reason."""
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
    """Raise in the words of the error that our code raised."""
    if error and _INTERRUPTIONS & {error.cls_name, error.cause.cls_name if error.cause else None}:
        raise RefreshInterrupted
    raise RefreshError(reason_of(error) or f"job {job} failed; its run has the reason")
