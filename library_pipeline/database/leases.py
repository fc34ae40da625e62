"""Leases: locks that the database server frees when the process of their holder dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

from library_pipeline.database.connection import Database

BUNDLES_IN_USE = "bundles in use"
"""Every run that uses bundles or vectors holds this lease; whoever deletes some holds it alone."""


@contextmanager
def lease(database: Database, *names: str) -> Iterator[None]:
    """Hold the leases `names`, together with other holders, on a connection of their own.

    Waits while another connection holds one of them alone.
    """
    with database.connect() as connection:
        for name in names:
            connection.execute("select pg_advisory_lock_shared(hashtextextended(%s, 0))", (name,))
        try:
            yield
        finally:
            # Closing the connection frees them too, but a moment later than the next query.
            with suppress(psycopg.OperationalError):
                connection.execute("select pg_advisory_unlock_all()")


@contextmanager
def sole_lease(connection: psycopg.Connection, name: str) -> Iterator[bool]:
    """Hold a lease alone in the block; yield False at once if another connection holds it."""
    row = connection.execute(
        "select pg_try_advisory_lock(hashtextextended(%s, 0))", (name,)
    ).fetchone()
    held = bool(row and row[0])
    try:
        yield held
    finally:
        if held and not connection.closed:
            connection.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", (name,))


def lease_is_free(connection: psycopg.Connection, name: str) -> bool:
    """Return whether no connection holds the lease `name`."""
    with sole_lease(connection, name) as free:
        return free
