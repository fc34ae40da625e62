"""The figures of search as tables, with their targets."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from tools.bench.search.api import ApiTimes
from tools.bench.search.database import SearchTimes
from tools.bench.tables import new_table


def search_table(components: int, found: Sequence[SearchTimes]) -> Table:
    """Return what `library.match_components` takes, the driver's work included."""
    table = new_table(
        f"search over {components:,} components in the database (targets: p50 5 ms, by two "
        "encoders 12 ms; p95 25 ms; recall 0.99)",
        "what",
        "p50 ms",
        "p95 ms",
        "recall@10",
    )
    for each in found:
        table.add_row(each.what, f"{each.p50:.1f}", f"{each.p95:.1f}", f"{each.recall:.4f}")
    return table


def api_table(components: int, found: Sequence[ApiTimes]) -> Table:
    """Return what the API gives."""
    table = new_table(
        f"GET /api/components/ID/similar over {components:,} components "
        "(targets: 200 a second, p95 60 ms)",
        "what",
        "clients",
        "answers/s",
        "p50 ms",
        "p95 ms",
    )
    for each in found:
        times = (f"{each.p50:.1f}", f"{each.p95:.1f}")
        table.add_row(each.what, str(each.clients), f"{each.per_second:.0f}", *times)
    return table
