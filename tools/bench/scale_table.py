"""The figures of a simulated library as a table, each with the target it is held against."""

from __future__ import annotations

import statistics

from rich.table import Table

from tools.bench.scale import MEGABYTE, Scale


def scale_table(found: Scale) -> Table:
    """Return what was measured at one size, one line a figure."""
    table = Table(title=f"{found.components:,} simulated components", title_justify="left")
    for name in ("what", "measured", "target"):
        table.add_column(name)
    bare = statistics.mean(found.bare_rate)
    rows = (
        ("first load", f"{found.first_load:.0f} s", ""),
        ("components a second", f"{found.rate:.0f}", "at least 100"),
        ("a component", f"{1000 / found.rate:.2f} ms", "at most 1.3 times that at 1,000"),
        ("bare httpx loop, before and after", _rates(found.bare_rate), ""),
        ("share of the bare loop", f"{found.rate / bare:.2f}", "at least 0.60"),
        ("memory over the base", f"{found.memory_over_base / MEGABYTE:.0f} MB", "under 1,024 MB"),
        ("a materialization", f"{_event_ms(found):.2f} ms", "at most 1.5 ms"),
        ("sensor tick, unchanged", f"{found.tick:.2f} s", "at most 1 s"),
        ("its requests", str(found.tick_requests), "one, conditional"),
        ("refresh as a process, unchanged", _each(found.unchanged_process), "at most 3 s"),
        ("10 changed, until searchable", f"{found.changed_searchable:.2f} s", "at most 5 s"),
        ("10 changed, whole refresh", f"{found.changed_whole:.2f} s", ""),
        ("its requests", str(found.changed_requests), "10 downloads"),
        ("its embeddings", str(found.changed_embedded), "at most 10"),
    )
    for row in rows:
        table.add_row(*row)
    return table


def _event_ms(found: Scale) -> float:
    return 1000 * found.event_seconds / max(1, found.events)


def _rates(rates: list[float]) -> str:
    return ", ".join(f"{rate:.0f}" for rate in rates) + " components a second"


def _each(seconds: list[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in seconds) + " s"
