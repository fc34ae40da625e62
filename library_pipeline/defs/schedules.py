"""What happens by the clock; off until it is switched on."""

import dagster as dg

from library_pipeline.defs.jobs import collect_garbage, full_refresh


def full_refresh_schedule(cron: str) -> dg.ScheduleDefinition:
    """Return the schedule that checks the whole library, at `cron` in UTC."""
    return dg.ScheduleDefinition(
        name="full_refresh_schedule",
        job=full_refresh,
        cron_schedule=cron,
        description="Checks every component against the CMS.",
    )


def garbage_schedule(cron: str) -> dg.ScheduleDefinition:
    """Return the schedule that deletes what nothing refers to any more, at `cron` in UTC."""
    return dg.ScheduleDefinition(
        name="garbage_schedule",
        job=collect_garbage,
        cron_schedule=cron,
        description="Deletes what nothing refers to any more.",
    )
