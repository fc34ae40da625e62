"""The figures of sources as tables for docs/benchmarks.md, each beside its target."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from tools.bench.sources.downloads import Downloads, cpu, wall
from tools.bench.sources.hosts import Beside
from tools.bench.sources.pace import Kept
from tools.bench.sources.reading import Reading
from tools.bench.tables import new_table


def reading_table(readings: Sequence[Reading]) -> Table:
    """Return items a second, one line for each mapping and page size."""
    title = f"{readings[0].items:,} items through a mapping, one core (target: 5,000/s)"
    table = new_table(title, "mapping", "items a page", "items/s", "items a CPU second")
    for each in readings:
        rates = (f"{each.rate(seconds):,.0f}" for seconds in (each.wall, each.cpu))
        table.add_row(each.shape, str(each.page_size), *rates)
    return table


def downloads_table(found: Sequence[Downloads]) -> Table:
    """Return files a second beside the bare loop's."""
    title = "downloads, 16 at a time, and a bare httpx.AsyncClient loop (target: 0.80 of it)"
    columns = ("ours, files/s", "bare, files/s", "share", "ours, ms CPU a file", "bare")
    table = new_table(title, "bytes a file", *columns)
    for each in found:
        rates = (f"{each.files / wall(rounds):,.0f}" for rounds in (each.ours, each.bare))
        costs = (f"{1000 * cpu(rounds) / each.files:.2f}" for rounds in (each.ours, each.bare))
        table.add_row(f"{each.size:,}", *rates, f"{each.share:.2f}", *costs)
    return table


def pace_table(found: Sequence[Kept]) -> Table:
    """Return the rates that were set and kept."""
    table = new_table("a set rate (target: to 5%)", "client", "set, /s", "measured, /s", "off by")
    for each in found:
        table.add_row(
            each.client, f"{each.wanted:.4g}", f"{each.measured:.4f}", f"{100 * each.off:+.2f}%"
        )
    return table


def hosts_table(found: Sequence[Beside]) -> Table:
    """Return how long one host's files took beside another host."""
    table = new_table("one host's files, in a refresh's lanes", "what", "s", "times alone")
    for each in found:
        table.add_row(each.what, f"{each.seconds:.2f}", f"{each.ratio:.2f}")
    return table
