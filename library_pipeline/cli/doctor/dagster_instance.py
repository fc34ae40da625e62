"""What only Dagster can say: are the schedules valid, and does its daemon run?"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from library_pipeline.cli.doctor.check import Check, one_line
from library_pipeline.cli.doctor.database import dagster_has_tables
from library_pipeline.settings import Settings
from library_pipeline.store.embedded import EmbeddedServerError


def check_schedules(settings: Settings) -> Iterator[Check]:
    """Yield whether Dagster takes the cron expressions."""
    from dagster import DagsterInvalidDefinitionError  # noqa: PLC0415 - takes seconds

    from library_pipeline.defs.jobs import (  # noqa: PLC0415
        full_refresh_schedule,
        garbage_schedule,
    )

    refresh = settings.refresh
    for key, make, cron in (
        ("refresh.full_schedule", full_refresh_schedule, refresh.full_schedule),
        ("refresh.garbage_schedule", garbage_schedule, refresh.garbage_schedule),
    ):
        try:
            make(cron)
        except DagsterInvalidDefinitionError as error:
            found = f"{key} = {cron!r}: {one_line(error)}"
            yield Check("schedules", "wrong", found, "write it like `0 3 * * 0` (Sundays, 3:00)")
            return
    found = f"full refresh {refresh.full_schedule}, garbage {refresh.garbage_schedule} (UTC)"
    yield Check("schedules", "ok", f"{found}, off until switched on in the UI")


def check_dagster(settings: Settings) -> Iterator[Check]:
    """Yield whether a daemon is alive that would start refreshes by itself; none has to be."""
    try:
        alive = _daemon_is_alive(settings)
    except (psycopg.Error, EmbeddedServerError, LookupError):
        yield Check("dagster", "skipped", "its database has to be reachable first")
        return
    if alive is None:
        hint = "`library-pipeline dev` runs it with the UI; `refresh` needs neither"
        yield Check("dagster", "ok", "has not run on this library yet", hint)
    elif alive:
        yield Check("dagster", "ok", "a daemon runs, so sensors and schedules work by themselves")
    else:
        hint = "`library-pipeline dev` runs one; `refresh` does without"
        yield Check("dagster", "ok", "no daemon runs: nothing is refreshed by itself", hint)


def _daemon_is_alive(settings: Settings) -> bool | None:
    """Return whether Dagster's daemon has lately been heard of, None if Dagster never ran."""
    from library_pipeline.defs.instance import open_instance  # noqa: PLC0415
    from library_pipeline.defs.storage import sensors_run  # noqa: PLC0415

    with dagster_has_tables(settings) as database:
        if database is None:
            return None
        with open_instance(settings, database) as instance:
            return sensors_run(instance)
