"""Tables as all benchmarks print them."""

from __future__ import annotations

from rich.table import Table


def new_table(title: str, first: str, *others: str) -> Table:
    """Return an empty table; all columns but the first are numbers."""
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table
