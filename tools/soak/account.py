"""What the soak measured, as tables."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

import dagster as dg
import psycopg
from rich.console import Console
from rich.table import Table

from tools.soak.soaking import Death
from tools.soak.victims import VICTIMS


def show_deaths(console: Console, deaths: Sequence[Death]) -> None:
    """Print the kills by victim: how many, and the seconds to the next progress."""
    table = Table("victim", "kills", "median s", "longest s", "no progress", title="kills")
    for victim in (*VICTIMS, None):
        some = [death for death in deaths if victim in (None, death.victim)]
        known = [death.recovered_after for death in some if death.recovered_after is not None]
        median = f"{statistics.median(known):.1f}" if known else ""
        longest = f"{max(known):.1f}" if known else ""
        never = str(len(some) - len(known))
        table.add_row(victim or "all", str(len(some)), median, longest, never)
    console.print(table)


def show_work(console: Console, rows: Sequence[tuple[str, object]]) -> None:
    """Print what was done meanwhile."""
    table = Table("what", "count", title="work")
    for what, count in rows:
        table.add_row(what, str(count))
    console.print(table)


def work_done(
    connection: psycopg.Connection, instance: dg.DagsterInstance
) -> list[tuple[str, object]]:
    """Return how many refreshes, chunks and runs there were, and how many failed."""
    refreshes = connection.execute(
        "select state, count(*) from pipeline.refresh group by state order by state"
    ).fetchall()
    chunks = connection.execute(
        """select count(*), count(*) filter (where attempt > 1),
                  sum(greatest(attempt - 1, 0)), count(*) filter (where state = 'dead')
           from pipeline.refresh_chunk"""
    ).fetchone() or (0, 0, 0, 0)
    runs = instance.get_runs()
    died = Counter(run.job_name for run in runs if run.status is dg.DagsterRunStatus.FAILURE)
    return [
        *((f"refreshes {state}", count) for state, count in refreshes),
        ("chunks", chunks[0]),
        ("chunks begun again", chunks[1]),
        ("attempts lost", chunks[2]),
        ("chunks given up", chunks[3]),
        ("Dagster runs", len(runs)),
        *((f"runs of {job} that ended as failed", count) for job, count in sorted(died.items())),
    ]
