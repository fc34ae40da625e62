"""`library-pipeline refresh`, `approve` and `cancel`, and how they print a refresh."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from library_pipeline.catalog.errors import Failure
from library_pipeline.catalog.refresh import Refresh, RefreshKind, RefreshRequest, RefreshScope
from library_pipeline.cli.console import confirm, console, errors, fail, print_json, quiet_logs
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

_POLL_SECONDS = 0.2
_PHASES = ("downloaded", "embedded", "stored")
_MAX_FAILURES = 50
_COUNTS = ("total", "new", "changed", "removed", "unchanged", "failed")
_INTERRUPTED = 130  # the exit code that shells expect of a program that a signal has ended
_WHOLE = RefreshScope()


def refresh_library(
    kind: RefreshKind,
    scope: RefreshScope = _WHOLE,
    *,
    force: bool = False,
    approve_removals: bool = False,
    as_json: bool = False,
    verbose: bool = False,
) -> Refresh:
    """Run a refresh in this process, show its counts meanwhile, and print and return it."""
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
            raise typer.Exit(_INTERRUPTED) from None
        except RefreshError as error:
            fail(f"the refresh stopped: {error}")
    _show(refresh, as_json=as_json)
    return refresh


def approve_held(*, yes: bool, as_json: bool, verbose: bool) -> Refresh | None:
    """Show the held removals, ask, and remove them in a refresh; return None if there are none.

    A component that is in the CMS again stays.
    """
    with open_database(load_settings()) as database, database.connect() as connection:
        held = held_removals(connection)
    if not held.count:
        console.print("No removal waits for an approval.")
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
    """Ask one refresh, or all unfinished ones, to stop; print which of them do."""
    with open_database(load_settings()) as database, database.connect() as connection:
        if refresh_id and find_refresh(connection, refresh_id) is None:
            fail(f"there is no refresh {refresh_id}; library-pipeline status lists them")
        ids = [refresh_id] if refresh_id else unfinished_ids(connection)
        stopped = [each for each in ids if cancel_refresh(connection, each)]
    for each in stopped:
        console.print(f"refresh {each} stops after its current work; finished work is kept")
    if refresh_id and not stopped:
        console.print(f"refresh {refresh_id} has already ended")
    elif not stopped:
        console.print("no refresh is running")


def result_json(refresh: Refresh) -> dict[str, Any]:
    """Return the result as `--json` prints it."""
    return {
        "refresh_id": refresh.refresh_id,
        "kind": refresh.kind,
        "state": refresh.state,
        "counts": asdict(refresh.counts),
        "duration_seconds": refresh.duration_seconds,
        "run_ids": refresh.run_ids,
        "failures": [asdict(failure) for failure in refresh.failures],
        "held_removals": refresh.held_removals,
        "error": refresh.error,
        "unread_sources": refresh.unread_sources,
    }


def _show_result(refresh: Refresh) -> None:
    """Print the counts, then each failure with its reason."""
    counts = refresh.counts
    table = Table(title=f"{refresh.kind} refresh {refresh.refresh_id}", title_justify="left")
    for name in (*_COUNTS, "duration"):
        table.add_column(name, justify="right")
    numbers = (str(getattr(counts, name)) for name in _COUNTS)
    table.add_row(*numbers, f"{refresh.duration_seconds:.1f} s")
    console.print(table)
    if counts.waiting:
        console.print(
            f"{counts.waiting} failed earlier and wait for their next try: "
            "library-pipeline retry --now"
        )
    if counts.elsewhere:
        console.print(
            f"{counts.elsewhere} belong to another unfinished refresh: "
            "library-pipeline status --watch"
        )
    if counts.unreached:
        console.print(f"{counts.unreached} were not reached.")
    if refresh.held_removals:
        errors.print(
            f"[bold yellow]{refresh.held_removals} components have left the CMS, too many to "
            "remove without asking; they stay searchable. To remove them: "
            "library-pipeline approve[/]"
        )
    for name in refresh.unread_sources:
        errors.print(
            f"[bold yellow]The source {name} could not be read; its components stay as they are. "
            "Why: library-pipeline status[/]"
        )
    if refresh.error:
        errors.print(f"[bold red]{refresh.error}[/]")
    for failure in refresh.failures[:_MAX_FAILURES]:
        show_failure(failure)
    if (hidden := len(refresh.failures) - _MAX_FAILURES) > 0:
        console.print(f"... and {hidden} more: library-pipeline status --json")


def show_failure(failure: Failure) -> None:
    """Print a failure: its phase, code and message, the number of tries, the next try."""
    tried = f"tried {failure.attempts} times; " if failure.attempts > 1 else ""
    again = "next try with a new revision or by retry --now"
    if failure.next_due_at:
        again = f"next try from {failure.next_due_at.astimezone():%H:%M on %d %b}"
    console.print(f"[red]failed[/] [bold]{failure.phase}[/] {failure.code} ({tried}{again})")
    console.print(f"       {failure.message}", markup=False, soft_wrap=True)


def _show(refresh: Refresh, *, as_json: bool) -> None:
    if as_json:
        print_json(result_json(refresh))
    else:
        _show_result(refresh)


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
    tasks = {phase: bars.add_task(phase, total=None, visible=False) for phase in _PHASES}
    with database.connect() as connection:
        while not done.wait(_POLL_SECONDS):
            now = read_refresh(connection, refresh_id)
            if now is None or now.state == "planning":
                continue
            bars.update(waiting, visible=False)
            for phase, task in tasks.items():
                bars.update(task, visible=True, total=now.planned, completed=getattr(now, phase))
