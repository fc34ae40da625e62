"""`library-pipeline status --watch`: follow refreshes live, wherever they run."""

from __future__ import annotations

import psycopg
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from library_pipeline.catalog.refresh import Progress
from library_pipeline.cli.console import clock, console
from library_pipeline.settings import load_settings
from library_pipeline.store.database import open_database
from library_pipeline.store.refreshes import recent

SHOWN = 5
REDRAW_SECONDS = 0.25
IDLE_SECONDS = 1.0


def watch_refreshes() -> None:
    """Show the newest refreshes, drawn anew whenever one of them moves, until Ctrl-C."""
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
    """Wait until something has moved, or a second: times go on by themselves."""
    for _ in connection.notifies(timeout=IDLE_SECONDS, stop_after=1):
        pass
    # What moves at the same time is drawn together.
    for _ in connection.notifies(timeout=REDRAW_SECONDS):
        pass


def _table(connection: psycopg.Connection) -> Table:
    table = Table(title="refreshes, newest first (Ctrl-C ends)", title_justify="left")
    for name in ("refresh", "kind", "state", "downloaded", "embedded", "stored"):
        table.add_column(name)
    for name in ("done", "failed", "rate", "left"):
        table.add_column(name, justify="right")
    for item in recent(connection, SHOWN):
        table.add_row(*_row(item))
    return table


def _row(item: Progress) -> tuple[str | Text | ProgressBar, ...]:
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
