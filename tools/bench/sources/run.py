"""All figures of sources, the quick ones first."""

from __future__ import annotations

from rich.console import Console

from tools.bench.sources.downloads import measure_downloads
from tools.bench.sources.hosts import measure_hosts
from tools.bench.sources.pace import measure_pace
from tools.bench.sources.reading import measure_reading
from tools.bench.sources.server import served
from tools.bench.sources.tables import downloads_table, hosts_table, pace_table, reading_table


def measure_sources(console: Console, items: int = 100_000) -> None:
    """Measure everything and print it as it comes."""
    with served() as (one, other):
        console.print(downloads_table(measure_downloads(one)))
        console.print(pace_table(measure_pace(one)))
        console.print(hosts_table(measure_hosts(one, other)))
        console.print(reading_table(measure_reading(one, items)))
