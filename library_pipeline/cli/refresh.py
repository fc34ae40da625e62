"""`library-pipeline refresh`: live counts while it runs, the exact account at the end."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from library_pipeline.catalog.refresh import RefreshKind, RefreshResult, RefreshScope
from library_pipeline.cli.console import console, errors, fail, quiet_logs
from library_pipeline.defs.in_process import RefreshError, run_refresh
from library_pipeline.defs.instance import open_instance
from library_pipeline.settings import load_settings
from library_pipeline.store.database import Database, open_database
from library_pipeline.store.refreshes import new_refresh_id, progress

POLL_SECONDS = 0.2
SHOWN_FAILURES = 50
PHASES = ("downloaded", "embedded", "stored")


def refresh_library(
    *,
    kind: RefreshKind,
    client: str | None = None,
    limit: int | None = None,
    allow_removals: bool = False,
    as_json: bool = False,
    verbose: bool = False,
) -> RefreshResult:
    """Run a refresh in this process, show how it goes and what came of it."""
    quiet_logs(verbose=verbose)
    settings = load_settings()
    refresh_id = new_refresh_id(datetime.now(UTC))
    with open_database(settings) as database, open_instance(settings, database) as instance:
        from library_pipeline.definitions import defs  # noqa: PLC0415 - reads the settings

        with _live(database, refresh_id, quiet=as_json):
            try:
                result = run_refresh(
                    defs,
                    instance,
                    database,
                    refresh_id=refresh_id,
                    kind=kind,
                    scope=RefreshScope(client=client, limit=limit),
                    asked_by="cli",
                    allow_removals=allow_removals,
                )
            except RefreshError as error:
                fail(f"the refresh stopped: {error}")
    if as_json:
        console.print_json(json.dumps(dataclasses.asdict(result), default=str))
    else:
        show_result(result)
    return result


def show_result(result: RefreshResult) -> None:
    """Print the counts, then every failure with its reason."""
    counts = result.counts
    table = Table(title=f"{result.kind} refresh {result.refresh_id}", title_justify="left")
    for name in ("total", "new", "changed", "removed", "unchanged", "failed", "duration"):
        table.add_column(name, justify="right")
    table.add_row(
        *(
            str(number)
            for number in (
                counts.total,
                counts.new,
                counts.changed,
                counts.removed,
                counts.unchanged,
                counts.failed,
            )
        ),
        f"{result.duration_seconds:.1f} s",
    )
    console.print(table)
    if counts.waiting:
        console.print(f"{counts.waiting} failed earlier and wait for their next try (--retry).")
    if result.held_removals:
        errors.print(
            f"[bold yellow]{result.held_removals} components are gone from the CMS, too many to "
            "remove unasked; they stay searchable. If that is right: "
            "library-pipeline refresh --allow-removals[/]"
        )
    if result.error:
        errors.print(f"[bold red]{result.error}[/]")
    _show_failures(result)


def _show_failures(result: RefreshResult) -> None:
    for failure in result.failures[:SHOWN_FAILURES]:
        again = "will be tried again" if failure.transient else "waits for a new revision"
        console.print(f"[red]failed[/] [bold]{failure.phase}[/] {failure.code} ({again})")
        console.print(f"       {failure.message}", markup=False, soft_wrap=True)
    if (hidden := len(result.failures) - SHOWN_FAILURES) > 0:
        console.print(f"... and {hidden} more: library-pipeline status")


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
