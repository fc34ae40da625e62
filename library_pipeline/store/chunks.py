"""Chunks of a refresh: claimed by one run at a time under a lease that dies with its holder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from library_pipeline.catalog.refresh import Action, Outcome
from library_pipeline.store.database import Database

MAX_ATTEMPTS = 3

_CLAIM = """
update pipeline.refresh_chunk set state = 'running', run_id = %(run)s, attempt = attempt + 1,
    downloaded = 0, embedded = 0, stored = 0, failed = 0
where refresh_id = %(refresh)s and chunk = %(chunk)s and state = 'pending'
returning attempt
"""
# A chunk whose run holds no lease any more goes back, or is given up after MAX_ATTEMPTS.
_RELEASE = """
update pipeline.refresh_chunk set run_id = null,
    state = case when attempt < %(max)s then 'pending' else 'dead' end
where refresh_id = %(refresh)s and chunk = %(chunk)s and run_id = %(run)s and state = 'running'
returning state
"""
_PENDING = """
select c.refresh_id, c.chunk, c.attempt from pipeline.refresh_chunk c
join pipeline.refresh r on r.id = c.refresh_id
where c.state = 'pending' and r.state = 'running' and not r.in_process
order by r.started_at, c.chunk limit %s
"""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a refresh that one run does; `attempt` counts the runs that have claimed it."""

    refresh_id: str
    number: int
    attempt: int


@dataclass(frozen=True, slots=True)
class LostChunk:
    """A chunk whose run is gone; `given_up` when it will not be tried again."""

    refresh_id: str
    number: int
    run_id: str
    given_up: bool


@contextmanager
def lease(database: Database, name: str) -> Iterator[None]:
    """Hold the lease called `name` on a connection of its own; the server frees it if we die."""
    with database.connect() as connection:
        connection.execute("select pg_advisory_lock_shared(hashtextextended(%s, 0))", (name,))
        yield


def lease_is_free(connection: psycopg.Connection, name: str) -> bool:
    """Whether nobody holds the lease called `name`."""
    row = connection.execute(
        "select pg_try_advisory_lock(hashtextextended(%s, 0))", (name,)
    ).fetchone()
    if not (row and row[0]):
        return False
    connection.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", (name,))
    return True


def claim(connection: psycopg.Connection, refresh_id: str, chunk: int, run_id: str) -> Chunk | None:
    """Take a pending chunk for `run_id`, which must hold its lease; None if it is not pending."""
    row = connection.execute(
        _CLAIM, {"refresh": refresh_id, "chunk": chunk, "run": run_id}
    ).fetchone()
    return Chunk(refresh_id, chunk, row[0]) if row else None


def release_lost_chunks(connection: psycopg.Connection) -> list[LostChunk]:
    """Put chunks back whose run's lease is free: its process is gone."""
    running = connection.execute(
        "select refresh_id, chunk, run_id from pipeline.refresh_chunk where state = 'running'"
    ).fetchall()
    lost: list[LostChunk] = []
    for refresh_id, chunk, run_id in running:
        if not lease_is_free(connection, run_id):
            continue
        row = connection.execute(
            _RELEASE, {"refresh": refresh_id, "chunk": chunk, "run": run_id, "max": MAX_ATTEMPTS}
        ).fetchone()
        if row:
            lost.append(LostChunk(refresh_id, chunk, run_id, row[0] == "dead"))
    return lost


def give_up_attempt(connection: psycopg.Connection, chunk: Chunk) -> None:
    """Count an attempt whose run ended before it claimed the chunk, and give the chunk up at last.

    Does nothing if the chunk has been claimed meanwhile.
    """
    connection.execute(
        """update pipeline.refresh_chunk set attempt = attempt + 1,
               state = case when attempt + 1 < %s then 'pending' else 'dead' end
           where refresh_id = %s and chunk = %s and attempt = %s and state = 'pending'""",
        (MAX_ATTEMPTS, chunk.refresh_id, chunk.number, chunk.attempt),
    )


def pending_chunks(connection: psycopg.Connection, *, limit: int = 100) -> list[Chunk]:
    """Return chunks that wait for a run of their own, oldest refresh first."""
    return [Chunk(*row) for row in connection.execute(_PENDING, (limit,))]


def pending_numbers(connection: psycopg.Connection, refresh_id: str) -> list[int]:
    """Return the numbers of the refresh's chunks that nobody has claimed."""
    rows = connection.execute(
        """select chunk from pipeline.refresh_chunk
           where refresh_id = %s and state = 'pending' order by chunk""",
        (refresh_id,),
    )
    return [row[0] for row in rows]


def chunk_components(connection: psycopg.Connection, chunk: Chunk) -> dict[str, Action]:
    """Return the chunk's components that have no outcome yet: action by component id."""
    rows = connection.execute(
        """select component_id, action from pipeline.refresh_component
           where refresh_id = %s and chunk = %s and outcome is null order by component_id""",
        (chunk.refresh_id, chunk.number),
    )
    return dict(rows.fetchall())


def set_outcomes(
    connection: psycopg.Connection, refresh_id: str, outcomes: Mapping[str, Outcome]
) -> None:
    """Record what became of components of a refresh, by component id."""
    connection.execute(
        """update pipeline.refresh_component set outcome = done.outcome
           from unnest(%s::text[], %s::text[]) as done (component_id, outcome)
           where refresh_id = %s and refresh_component.component_id = done.component_id""",
        (list(outcomes), list(outcomes.values()), refresh_id),
    )


def add_progress(
    connection: psycopg.Connection,
    chunk: Chunk,
    *,
    downloaded: int = 0,
    embedded: int = 0,
    stored: int = 0,
    failed: int = 0,
) -> None:
    """Add to the chunk's counts; who watches is told through NOTIFY."""
    connection.execute(
        """update pipeline.refresh_chunk set downloaded = downloaded + %s,
               embedded = embedded + %s, stored = stored + %s, failed = failed + %s
           where refresh_id = %s and chunk = %s""",
        (downloaded, embedded, stored, failed, chunk.refresh_id, chunk.number),
    )
    connection.execute("select pg_notify('library_refresh', %s)", (chunk.refresh_id,))


def finish_chunk(connection: psycopg.Connection, chunk: Chunk) -> None:
    """Mark the chunk as done, whatever became of its components."""
    connection.execute(
        """update pipeline.refresh_chunk set state = 'done'
           where refresh_id = %s and chunk = %s""",
        (chunk.refresh_id, chunk.number),
    )
