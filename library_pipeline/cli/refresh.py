"""`library-pipeline refresh`: live counts while it runs, the exact account at the end."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from library_pipeline.catalog.refresh import (
    RefreshKind,
    RefreshRequest,
    RefreshResult,
    RefreshScope,
)
from library_pipeline.cli.console import console, fail, quiet_logs
from library_pipeline.cli.results import show_result
from library_pipeline.defs.in_process import RefreshError, RefreshInterrupted, run_refresh
from library_pipeline.defs.instance import open_instance
from library_pipeline.settings import load_settings
from library_pipeline.store.database import Database, open_database
from library_pipeline.store.refreshes import new_refresh_id, progress, result

POLL_SECONDS = 0.2
PHASES = ("downloaded", "embedded", "stored")
INTERRUPTED = 130  # what shells expect of a program that a signal has ended
WHOLE = RefreshScope()


def refresh_library(
    kind: RefreshKind,
    scope: RefreshScope = WHOLE,
    *,
    force: bool = False,
    approve_removals: bool = False,
    as_json: bool = False,
    verbose: bool = False,
) -> RefreshResult:
    """Run a refresh in this process, show how it goes and what came of it."""
    quiet_logs(verbose=verbose)
    settings = load_settings()
    request = RefreshRequest(
        refresh_id=new_refresh_id(datetime.now(UTC)),
        kind=kind,
        asked_by="cli",
        scope=scope,
        force=force,
        in_process=True,
    )
    with open_database(settings) as database, open_instance(settings, database) as instance:
        from library_pipeline.definitions import library_definitions  # noqa: PLC0415 - reads settings

        try:
            with _live(database, request.refresh_id, quiet=as_json):
                outcome = run_refresh(
                    library_definitions(settings),
                    instance,
                    database,
                    request,
                    approve_removals=approve_removals,
                )
        except RefreshInterrupted:
            with database.connect() as connection:
                _show(result(connection, request.refresh_id), as_json=as_json)
            raise typer.Exit(INTERRUPTED) from None
        except RefreshError as error:
            fail(f"the refresh stopped: {error}")
    _show(outcome, as_json=as_json)
    return outcome


def _show(outcome: RefreshResult, *, as_json: bool) -> None:
    if as_json:
        console.print_json(json.dumps(dataclasses.asdict(outcome), default=str))
    else:
        show_result(outcome)


@contextmanager
def _live(database: Database, refresh_id: str, *, quiet: bool) -> Iterator[None]:
    """Show the refresh's counts while it runs, read from where it keeps them."""
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
            now = progress(connection, refresh_id)
            if now is None or now.state == "planning":
                continue
            bars.update(waiting, visible=False)
            for phase, task in tasks.items():
                bars.update(task, visible=True, total=now.planned, completed=getattr(now, phase))
