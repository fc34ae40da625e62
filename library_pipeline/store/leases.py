"""Leases: who holds one is alive; the database server frees it when its holder's process dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

from library_pipeline.store.database import Database

BUNDLES_IN_USE = "bundles in use"
"""What every run holds that works with bundles and vectors; who deletes some holds it alone."""


@contextmanager
def lease(database: Database, *names: str) -> Iterator[None]:
    """Hold the leases `names` on a connection of their own; the server frees them if we die.

    Others may hold the same ones. Waits while somebody has one to himself.
    """
    with database.connect() as connection:
        for name in names:
            connection.execute("select pg_advisory_lock_shared(hashtextextended(%s, 0))", (name,))
        try:
            yield
        finally:
            # The end of the connection would do, but a moment after whoever looks next.
            with suppress(psycopg.OperationalError):
                connection.execute("select pg_advisory_unlock_all()")


@contextmanager
def sole_lease(connection: psycopg.Connection, name: str) -> Iterator[bool]:
    """Hold a lease alone for a while; yields False at once if anybody has it."""
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
    """Whether nobody holds the lease called `name`."""
    with sole_lease(connection, name) as free:
        return free
