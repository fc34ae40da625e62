"""The library in numbers: what is in it, how much room it takes, how old what is known of it is."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from library_pipeline.store.coverage import EncoderCoverage, coverage, encoder_coverages

# A manifest that was never read, or not yet, has no age; the oldest one counts, as in `freshness`.
_AGES_AND_ROOM = """
select pg_database_size(current_database()),
       (select extract(epoch from now() - min(fetched_at))::float8 from pipeline.manifest),
       (select extract(epoch from now() - max(finished_at))::float8 from pipeline.refresh
        where state = 'finished' and kind in ('full', 'incremental')),
       (select count(*) from pipeline.removal_hold where approved_at is null)
"""


@dataclass(frozen=True, slots=True)
class LibraryState:
    """Counts of components, bytes of the database, coverage by encoder, ages in seconds.

    `failures` are components whose failure stands, `held_removals` those that wait for a person.
    `refreshed_seconds_ago` is since a full or incremental refresh was last done to its end,
    `manifest_seconds_ago` since the source that was read longest ago was read whole; None: never.
    """

    components: int
    listed: int
    failures: int
    held_removals: int
    database_bytes: int
    encoders: tuple[EncoderCoverage, ...]
    manifest_seconds_ago: float | None
    refreshed_seconds_ago: float | None


def library_state(connection: psycopg.Connection) -> LibraryState:
    """Return the library in numbers, as it is now."""
    counts = coverage(connection)
    row = connection.execute(_AGES_AND_ROOM).fetchone()
    database_bytes, manifest, refreshed, held = row or (0, None, None, 0)
    return LibraryState(
        components=counts.components,
        listed=counts.listed,
        failures=counts.failed,
        held_removals=held,
        database_bytes=database_bytes,
        encoders=encoder_coverages(connection),
        manifest_seconds_ago=manifest,
        refreshed_seconds_ago=refreshed,
    )
