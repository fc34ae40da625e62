"""The Dagster runs of each refresh: those that planned it, did its chunks and closed it."""

from __future__ import annotations

import psycopg


def add_run(connection: psycopg.Connection, refresh_id: str, run_id: str) -> None:
    """Remember a Dagster run as one of the refresh's."""
    connection.execute(
        """insert into pipeline.refresh_run (refresh_id, run_id) values (%s, %s)
           on conflict do nothing""",
        (refresh_id, run_id),
    )


def runs_of(connection: psycopg.Connection, refresh_id: str) -> list[str]:
    """Return the ids of the refresh's Dagster runs, oldest first."""
    rows = connection.execute(
        "select run_id from pipeline.refresh_run where refresh_id = %s order by started_at",
        (refresh_id,),
    )
    return [row[0] for row in rows]
