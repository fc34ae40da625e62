"""`library-pipeline status`: the index, refreshes and failures, once or live with `--watch`."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import psycopg
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from library_pipeline.catalog.refresh import Refresh
from library_pipeline.cli.console import clock, console, print_json
from library_pipeline.cli.refresh import result_json, show_failure
from library_pipeline.database.connection import open_database
from library_pipeline.index.removals import HeldRemovals, held_removals
from library_pipeline.refresh.history import Vitals, vitals
from library_pipeline.refresh.log import recent_refreshes, with_failures
from library_pipeline.refresh.manifest_state import manifest_states
from library_pipeline.refresh.outcomes import open_failures
from library_pipeline.refresh.requests import OpenRequest, open_requests, why_it_waits
from library_pipeline.settings import load_settings
from library_pipeline.sources.text import printable

_MAX_REFRESHES = 5
_MAX_FAILURES = 20
_REDRAW_SECONDS = 0.25
_IDLE_SECONDS = 1.0


def show_status(*, as_json: bool) -> None:
    """Print the state of the library."""
    with open_database(load_settings()) as database, database.connect() as connection:
        state = vitals(connection)
        refreshes = [with_failures(connection, each) for each in recent_refreshes(connection)]
        failures = open_failures(connection)
        held = held_removals(connection)
        requests = open_requests(connection)
        sources = manifest_states(connection)
    if as_json:
        whole = {
            "index": {
                **dataclasses.asdict(state.counts),
                "behind": state.behind,
                "age_seconds": state.age_seconds,
                "database_bytes": state.database_bytes,
                "screenshot_bytes": state.screenshot_bytes,
                "encoders": [dataclasses.asdict(each) for each in state.encoders],
            },
            "requests": [dataclasses.asdict(item) for item in requests],
            "refreshes": [result_json(item) for item in refreshes],
            "failures": [dataclasses.asdict(item) for item in failures],
            "held_removals": dataclasses.asdict(held),
            "sources": {name: dataclasses.asdict(each) for name, each in sources.items()},
        }
        print_json(whole)
        return
    _show_index(state)
    _show_held(held)
    for name, source in sources.items():
        if source.error:
            text = f"The source {name} could not be read last: {printable(source.error)}"
            console.print(Text(text, style="bold yellow"), soft_wrap=True)
    for request in requests:
        _show_request(request)
    for item in refreshes:
        if item.unfinished:
            _show_running(item)
    for done in refreshes[:_MAX_REFRESHES]:
        if not done.unfinished:
            _show_refresh(done)
    for failure in failures[:_MAX_FAILURES]:
        show_failure(failure)
    if not refreshes and not requests:
        console.print("Nothing has been refreshed yet: library-pipeline refresh")


def _show_request(item: OpenRequest) -> None:
    console.print(
        f"refresh {item.refresh_id} {item.request.kind} [cyan]waiting[/] for "
        f"{clock(item.waited_seconds)}, requested by {item.request.asked_by}",
        soft_wrap=True,
    )
    console.print(f"        {why_it_waits(item)}", markup=False, soft_wrap=True)


def _show_running(item: Refresh) -> None:
    rate = item.components_per_second
    console.print(
        f"refresh {item.refresh_id} {item.kind} [cyan]{item.phase}[/] for "
        f"{clock((datetime.now(UTC) - item.started_at).total_seconds())}: "
        f"{item.stored} of {item.planned} stored, {item.failed} failed"
        + (f", {rate:.1f} a second" if rate else "")
        + (f", {clock(item.seconds_left)} left" if item.seconds_left is not None else ""),
        soft_wrap=True,
    )


def _show_refresh(item: Refresh) -> None:
    counts = item.counts
    console.print(
        f"refresh {item.refresh_id} {item.kind} {item.state} in {item.duration_seconds:.1f} s: "
        f"{counts.total} total | {counts.new} new, {counts.changed} changed, "
        f"{counts.removed} removed, {counts.unchanged} unchanged, {counts.failed} failed"
        + (f" | not read: {', '.join(item.unread_sources)}" if item.unread_sources else ""),
        soft_wrap=True,
    )
    if item.error:
        console.print(f"        {item.error}", markup=False, soft_wrap=True)


def _show_held(held: HeldRemovals) -> None:
    if not held.count:
        return
    console.print(
        f"[bold yellow]{held.count} of {held.indexed} components have left the CMS, too many to "
        f"remove without asking ({', '.join(held.examples[:3])}, ...). To remove them: "
        "library-pipeline approve[/]"
    )


def _show_index(state: Vitals) -> None:
    counts, age = state.counts, state.age_seconds
    console.print(
        f"{counts.components} components searchable, {counts.listed} listed by the CMS, "
        f"{counts.failed} failed"
    )
    console.print(
        (
            "The CMS has not been read completely yet"
            if age is None
            else f"The CMS was last read {clock(age)} ago"
        )
        + f"; the database takes {state.database_bytes / 2**20:,.0f} MB, "
        f"the screenshots {state.screenshot_bytes / 2**20:,.0f} MB"
    )
    for encoder in state.encoders:
        console.print(
            f"encoder {encoder.name}: {encoder.model}, {encoder.dim} dimensions, "
            f"{encoder.fingerprint}, {encoder.covered} of {encoder.components} components covered, "
            f"{encoder.embedded} screenshots embedded ({encoder.state})",
            markup=False,
        )


def watch_refreshes() -> None:
    """Show the newest refreshes until Ctrl-C; draw them again when one of them advances."""
    with open_database(load_settings()) as database, database.connect() as connection:
        connection.execute("listen library_refresh")
        try:
            with Live(_table(connection), console=console, auto_refresh=False) as live:
                while True:
                    _wait(connection)
                    live.update(_table(connection), refresh=True)
        except KeyboardInterrupt:
            return


def _wait(connection: psycopg.Connection) -> None:
    """Wait until a refresh advances, at most a second, since the times change anyway."""
    for _ in connection.notifies(timeout=_IDLE_SECONDS, stop_after=1):
        pass
    # Several changes at the same time are drawn together.
    for _ in connection.notifies(timeout=_REDRAW_SECONDS):
        pass


def _table(connection: psycopg.Connection) -> Table:
    table = Table(title="refreshes, newest first (Ctrl-C ends)", title_justify="left")
    for name in ("refresh", "kind", "state", "downloaded", "embedded", "stored"):
        table.add_column(name)
    for name in ("done", "failed", "rate", "left"):
        table.add_column(name, justify="right")
    for item in recent_refreshes(connection, _MAX_REFRESHES):
        table.add_row(*_table_row(item))
    return table


def _table_row(item: Refresh) -> tuple[str | Text | ProgressBar, ...]:
    state = {"failed": "red", "running": "cyan", "cancelled": "yellow"}.get(item.state, "green")
    rate = f"{item.components_per_second:.1f}/s" if item.components_per_second else ""
    left = clock(item.seconds_left) if item.seconds_left is not None else ""
    return (
        item.refresh_id,
        item.kind,
        Text(item.phase or item.state, style=state),
        *(
            ProgressBar(total=max(item.planned, 1), completed=passed, width=14)
            for passed in (item.downloaded, item.embedded, item.stored)
        ),
        f"{item.stored}/{item.planned}",
        Text(str(item.failed), style="red" if item.failed else ""),
        rate,
        left,
    )
