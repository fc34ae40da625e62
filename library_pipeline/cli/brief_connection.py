"""A connection for a look at a database: one that waits for nothing for long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg


@contextmanager
def brief_connection(
    url: str, *, connect_seconds: int, statement_seconds: int, who: str
) -> Iterator[psycopg.Connection]:
    """Yield an autocommit connection that the server lists as `who`; raises psycopg.Error."""
    with psycopg.connect(
        url, autocommit=True, connect_timeout=connect_seconds, application_name=who
    ) as connection:
        # Not by `options`, which poolers such as pgbouncer refuse.
        limit = str(statement_seconds * 1000)
        connection.execute("select set_config('statement_timeout', %s, false)", (limit,))
        yield connection
