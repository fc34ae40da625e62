"""What came of a refresh, in words: the counts, and every failure with its reason."""

from __future__ import annotations

from rich.table import Table

from library_pipeline.catalog.failures import Failure
from library_pipeline.catalog.refresh import RefreshResult
from library_pipeline.cli.console import console, errors

SHOWN_FAILURES = 50


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
        console.print(
            f"{counts.waiting} failed earlier and wait for their next try: "
            "library-pipeline retry --now"
        )
    if counts.elsewhere:
        console.print(f"{counts.elsewhere} are another unfinished refresh's work: status --watch")
    if counts.unreached:
        console.print(f"{counts.unreached} were not reached.")
    if result.held_removals:
        errors.print(
            f"[bold yellow]{result.held_removals} components are gone from the CMS, too many to "
            "remove unasked; they stay searchable. If that is right: "
            "library-pipeline approve[/]"
        )
    for name in result.unread_sources:
        errors.print(
            f"[bold yellow]The source {name} could not be read; its components stay as they are. "
            "Why: library-pipeline status[/]"
        )
    if result.error:
        errors.print(f"[bold red]{result.error}[/]")
    _show_failures(result)


def _show_failures(result: RefreshResult) -> None:
    for failure in result.failures[:SHOWN_FAILURES]:
        show_failure(failure)
    if (hidden := len(result.failures) - SHOWN_FAILURES) > 0:
        console.print(f"... and {hidden} more: library-pipeline status --json")


def show_failure(failure: Failure) -> None:
    """Print what failed, why, how often, and when it is tried again."""
    tried = f"tried {failure.attempts} times, " if failure.attempts > 1 else ""
    again = "waits for a new revision, or retry --now"
    if failure.next_due_at:
        again = f"next try from {failure.next_due_at.astimezone():%H:%M on %d %b}"
    console.print(f"[red]failed[/] [bold]{failure.phase}[/] {failure.code} ({tried}{again})")
    console.print(f"       {failure.message}", markup=False, soft_wrap=True)
