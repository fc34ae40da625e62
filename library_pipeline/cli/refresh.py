"""`library-pipeline refresh`, `approve` and `cancel`."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from library_pipeline.catalog.refresh import Refresh, RefreshKind, RefreshRequest, RefreshScope
from library_pipeline.cli.console import confirm, console, fail, quiet_logs
from library_pipeline.cli.results import result_json, show_result
from library_pipeline.database.connection import Database, open_database
from library_pipeline.index.removals import held_removals
from library_pipeline.refresh.closing import cancel_refresh
from library_pipeline.refresh.log import (
    find_refresh,
    new_refresh_id,
    read_refresh,
    read_result,
    unfinished_ids,
)
from library_pipeline.settings import load_settings

POLL_SECONDS = 0.2
PHASES = ("downloaded", "embedded", "stored")
INTERRUPTED = 130  # the exit code that shells expect of a program that a signal has ended
WHOLE = RefreshScope()


def refresh_library(
    kind: RefreshKind,
    scope: RefreshScope = WHOLE,
    *,
    force: bool = False,
    approve_removals: bool = False,
    as_json: bool = False,
    verbose: bool = False,
) -> Refresh:
    """Run a refresh in this process with live counts; print and return its result."""
    # Dagster takes seconds to load, which `cancel` does not need.
    from library_pipeline.defs.in_process import RefreshError, RefreshInterrupted  # noqa: PLC0415
    from library_pipeline.launch import open_launcher  # noqa: PLC0415

    quiet_logs(verbose=verbose)
    request = RefreshRequest(
        refresh_id=new_refresh_id(datetime.now(UTC)),
        kind=kind,
        asked_by="cli",
        scope=scope,
        force=force,
        in_process=True,
    )
    with open_launcher(load_settings()) as launcher:
        try:
            with _live_counts(launcher.database, request.refresh_id, quiet=as_json):
                refresh = launcher.refresh(request, approve_removals=approve_removals)
        except RefreshInterrupted:
            with launcher.database.connect() as connection:
                _show(read_result(connection, request.refresh_id), as_json=as_json)
            raise typer.Exit(INTERRUPTED) from None
        except RefreshError as error:
            fail(f"the refresh stopped: {error}")
    _show(refresh, as_json=as_json)
    return refresh


def approve_held(*, yes: bool, as_json: bool, verbose: bool) -> Refresh | None:
    """Show the held removals, ask, and remove them by a refresh; return None if there are none.

    A component that has come back to the CMS meanwhile stays.
    """
    with open_database(load_settings()) as database, database.connect() as connection:
        held = held_removals(connection)
    if not held.count:
        console.print("Nothing is held back.")
        return None
    if not as_json:
        console.print(
            f"{held.count} of {held.indexed} indexed components have left the CMS"
            f" (noticed {held.since:%Y-%m-%d %H:%M} UTC):"
        )
        for component_id in held.examples:
            console.print(f"  {component_id}", markup=False)
        if held.count > len(held.examples):
            console.print(f"  ... and {held.count - len(held.examples)} more")
    confirm(f"Remove these {held.count} components from the index?", yes=yes)
    return refresh_library("incremental", approve_removals=True, as_json=as_json, verbose=verbose)


def cancel_refreshes(refresh_id: str | None) -> None:
    """Ask one refresh, or all unfinished ones, to stop, and say which of them do."""
    with open_database(load_settings()) as database, database.connect() as connection:
        if refresh_id and find_refresh(connection, refresh_id) is None:
            fail(f"there is no refresh {refresh_id}; library-pipeline status shows those there are")
        ids = [refresh_id] if refresh_id else unfinished_ids(connection)
        stopped = [each for each in ids if cancel_refresh(connection, each)]
    for each in stopped:
        console.print(f"refresh {each} stops after what is under way; what is done stays done")
    if refresh_id and not stopped:
        console.print(f"refresh {refresh_id} is over already")
    elif not stopped:
        console.print("no refresh is running")


def _show(refresh: Refresh, *, as_json: bool) -> None:
    if as_json:
        console.print_json(json.dumps(result_json(refresh), default=str))
    else:
        show_result(refresh)


@contextmanager
def _live_counts(database: Database, refresh_id: str, *, quiet: bool) -> Iterator[None]:
    """Show the refresh's counts from the database while it runs."""
    if quiet or not console.is_terminal:
        yield
        return
    columns = (TextColumn("{task.description:>12}"), BarColumn(), MofNCompleteColumn())
    done = threading.Event()
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bars:
        watcher = threading.Thread(
            target=_watch, args=(database, refresh_id, bars, done), daemon=True
        )
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()


def _watch(database: Database, refresh_id: str, bars: Progress, done: threading.Event) -> None:
    waiting = bars.add_task("planning", total=None)
    tasks = {phase: bars.add_task(phase, total=None, visible=False) for phase in PHASES}
    with database.connect() as connection:
        while not done.wait(POLL_SECONDS):
            now = read_refresh(connection, refresh_id)
            if now is None or now.state == "planning":
                continue
            bars.update(waiting, visible=False)
            for phase, task in tasks.items():
                bars.update(task, visible=True, total=now.planned, completed=getattr(now, phase))
