"""Whether all work has come to rest, and what has not."""

from __future__ import annotations

import time
from collections.abc import Callable

import dagster as dg
import httpx
import psycopg

from library_pipeline.database.connection import Database
from library_pipeline.index.encoders import register_configured
from library_pipeline.refresh.comparison import count_due
from library_pipeline.refresh.manifest_state import current_manifest
from library_pipeline.settings import Settings

FINISHED = frozenset(
    {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}
)
UNFINISHED = [status for status in dg.DagsterRunStatus if status not in FINISHED]
_LOOK_SECONDS = 1.0
# A sensor may be about to start something; it looks every two and every five seconds.
_STILL_SECONDS = 12.0


def wait_until_quiet(
    database: Database,
    instance: dg.DagsterInstance,
    settings: Settings,
    keep_up: Callable[[], None],
    seconds: float,
) -> tuple[float, list[str]]:
    """Wait until nothing is left to do; return the seconds it took, and what is left after all."""
    began = time.monotonic()
    still_since: float | None = None
    while True:
        keep_up()
        left = unrest(database, instance, settings)
        now = time.monotonic()
        still_since = None if left else (still_since or now)
        if still_since is not None and now - still_since >= _STILL_SECONDS:
            return still_since - began, []
        if now - began > seconds:
            return now - began, left or ["it was quiet only for a moment"]
        time.sleep(_LOOK_SECONDS)


def unrest(database: Database, instance: dg.DagsterInstance, settings: Settings) -> list[str]:
    """Return what is under way or due, one line each."""
    try:
        with database.connect() as connection:
            return [
                *_of_database(connection),
                *_due(connection, settings),
                *_runs(instance),
            ]
    except (psycopg.Error, httpx.HTTPError) as error:
        return [f"no answer: {error}"]


def _of_database(connection: psycopg.Connection) -> list[str]:
    rows = connection.execute(
        """select format('refresh %s is %s', id, state) from pipeline.refresh
           where state in ('planning', 'running')
           union all
           select format('refresh %s has not been checked', id) from pipeline.refresh
           where checked_at is null and state not in ('planning', 'running')
           union all
           select format('chunk %s of %s is %s, attempt %s', k.chunk, k.refresh_id, k.state,
                         k.attempt) from pipeline.refresh_chunk k
           join pipeline.refresh r on r.id = k.refresh_id
           where k.state in ('pending', 'running') and r.state in ('planning', 'running')"""
    )
    return [row[0] for row in rows]


def _due(connection: psycopg.Connection, settings: Settings) -> list[str]:
    due = count_due(connection, register_configured(connection, settings.all_encoders))
    found = [f"{due} components are due"] if due else []
    manifest = current_manifest(connection)
    listed = httpx.get(f"{settings.cms.base_url}/components", params={"limit": 1}, timeout=10)
    if manifest is None or manifest.etag != listed.headers["etag"]:
        found.append("the CMS has changed since its manifest was read")
    return found


def _runs(instance: dg.DagsterInstance) -> list[str]:
    now = time.time()
    return [
        f"run {record.dagster_run.run_id[:8]} of {record.dagster_run.job_name} is "
        f"{record.dagster_run.status.value} for {now - record.update_timestamp.timestamp():.0f} s"
        for record in instance.get_run_records(dg.RunsFilter(statuses=UNFINISHED))
    ]
