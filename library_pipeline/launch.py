"""Refreshes in this process, for the command line and for Python programs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg

from library_pipeline.catalog.refresh import Refresh, RefreshRequest
from library_pipeline.database.connection import Database, open_database
from library_pipeline.defs.in_process import open_instance, run_refresh
from library_pipeline.refresh.closing import cancel_refresh
from library_pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Launcher:
    """Runs refreshes in this process, as Dagster runs that the UI shows like all others."""

    database: Database
    instance: dg.DagsterInstance
    definitions: dg.Definitions

    def refresh(self, request: RefreshRequest, *, approve_removals: bool = False) -> Refresh:
        """Run a refresh and return it with its failures.

        Raises RefreshExistsError if the id is in use, RefreshInterrupted, and RefreshError with the
        reason if the refresh could not be planned or was stopped.
        """

        def run() -> Refresh:
            return run_refresh(
                self.definitions,
                self.instance,
                self.database,
                request,
                approve_removals=approve_removals,
            )

        return self._run_in_thread(run, request.refresh_id) if _in_event_loop() else run()

    def _run_in_thread(self, run: Callable[[], Refresh], refresh_id: str) -> Refresh:
        """Run in a thread without an event loop; an interruption cancels the refresh."""
        with ThreadPoolExecutor(1, thread_name_prefix="refresh") as thread:
            future = thread.submit(run)
            try:
                return future.result()
            except KeyboardInterrupt:
                with self.database.connect() as connection:
                    cancel_refresh(connection, refresh_id)
                raise


@contextmanager
def open_launcher(settings: Settings) -> Iterator[Launcher]:
    """Open the database and the Dagster instance of `settings`, and close them at the end."""
    with open_database(settings) as database, open_instance(settings, database) as instance:
        # Imported late: `definitions` reads the settings of the environment on import.
        from library_pipeline.definitions import library_definitions  # noqa: PLC0415

        yield Launcher(database, instance, library_definitions(settings))


def _in_event_loop() -> bool:
    """Whether the caller runs in an event loop, as every cell of a notebook does."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
