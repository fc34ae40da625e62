"""The result of a refresh as text and as JSON: the counts, and each failure with its reason."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.table import Table

from library_pipeline.catalog.errors import Failure
from library_pipeline.catalog.refresh import Refresh
from library_pipeline.cli.console import console, errors

SHOWN_FAILURES = 50
SHOWN_COUNTS = ("total", "new", "changed", "removed", "unchanged", "failed")


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


def show_result(refresh: Refresh) -> None:
    """Print the counts, then each failure with its reason."""
    counts = refresh.counts
    table = Table(title=f"{refresh.kind} refresh {refresh.refresh_id}", title_justify="left")
    for name in (*SHOWN_COUNTS, "duration"):
        table.add_column(name, justify="right")
    numbers = (str(getattr(counts, name)) for name in SHOWN_COUNTS)
    table.add_row(*numbers, f"{refresh.duration_seconds:.1f} s")
    console.print(table)
    if counts.waiting:
        console.print(
            f"{counts.waiting} failed earlier and wait for their next try: "
            "library-pipeline retry --now"
        )
    if counts.elsewhere:
        console.print(f"{counts.elsewhere} are another unfinished refresh's work: status --watch")
    if counts.unreached:
        console.print(f"{counts.unreached} were not reached.")
    if refresh.held_removals:
        errors.print(
            f"[bold yellow]{refresh.held_removals} components are gone from the CMS, too many to "
            "remove unasked; they stay searchable. If that is right: "
            "library-pipeline approve[/]"
        )
    for name in refresh.unread_sources:
        errors.print(
            f"[bold yellow]The source {name} could not be read; its components stay as they are. "
            "Why: library-pipeline status[/]"
        )
    if refresh.error:
        errors.print(f"[bold red]{refresh.error}[/]")
    for failure in refresh.failures[:SHOWN_FAILURES]:
        show_failure(failure)
    if (hidden := len(refresh.failures) - SHOWN_FAILURES) > 0:
        console.print(f"... and {hidden} more: library-pipeline status --json")


def show_failure(failure: Failure) -> None:
    """Print what failed and why, how often it was tried, and when it is tried again."""
    tried = f"tried {failure.attempts} times, " if failure.attempts > 1 else ""
    again = "waits for a new revision, or retry --now"
    if failure.next_due_at:
        again = f"next try from {failure.next_due_at.astimezone():%H:%M on %d %b}"
    console.print(f"[red]failed[/] [bold]{failure.phase}[/] {failure.code} ({tried}{again})")
    console.print(f"       {failure.message}", markup=False, soft_wrap=True)
