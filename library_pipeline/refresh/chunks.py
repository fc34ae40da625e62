"""Chunks of a refresh, and the hash buckets that stand for their partitions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from library_pipeline.catalog.refresh import Action, RefreshKind
from library_pipeline.database.connection import lease_is_free
from library_pipeline.refresh.log import add_run

MAX_ATTEMPTS = 3

# The components that an earlier attempt has done are not done again, and count as progress.
_CLAIM = """
update pipeline.refresh_chunk k set state = 'running', run_id = %(run)s, attempt = attempt + 1,
    started_at = coalesce(started_at, now()), downloaded = o.good, embedded = o.good,
    stored = o.good, failed = o.failed
from (select count(*) filter (where outcome <> 'failed') as good,
             count(*) filter (where outcome = 'failed') as failed
      from pipeline.refresh_component where refresh_id = %(refresh)s and chunk = %(chunk)s) o
where k.refresh_id = %(refresh)s and k.chunk = %(chunk)s and k.state = 'pending'
  and (select r.state from pipeline.refresh r where r.id = k.refresh_id) = 'running'
returning k.attempt, k.size, k.second_try,
    (select r.kind from pipeline.refresh r where r.id = k.refresh_id)
"""
# A lost chunk becomes pending again, or dead after MAX_ATTEMPTS.
_RELEASE = """
update pipeline.refresh_chunk set run_id = null,
    state = case when attempt < %(max)s then 'pending' else 'dead' end
where refresh_id = %(refresh)s and chunk = %(chunk)s and run_id = %(run)s and state = 'running'
returning state
"""
_PENDING = """
select k.refresh_id, k.chunk, k.attempt, k.size, k.second_try, r.kind
from pipeline.refresh_chunk k
join pipeline.refresh r on r.id = k.refresh_id
where k.state = 'pending' and r.state = 'running' and not r.in_process
order by r.started_at, k.chunk limit %s
"""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a refresh that one run does; `attempt` counts the runs that have claimed it.

    A `second_try` chunk holds the components whose transient failures ended a first one.
    """

    refresh_id: str
    number: int
    attempt: int
    size: int
    second_try: bool = False
    kind: RefreshKind = "incremental"


@dataclass(frozen=True, slots=True)
class LostChunk:
    """A chunk whose run claimed it and lost its process."""

    refresh_id: str
    number: int
    run_id: str


def claim(connection: psycopg.Connection, refresh_id: str, chunk: int, run_id: str) -> Chunk | None:
    """Take a pending chunk for `run_id`, which must hold its lease; None if it is not pending."""
    with connection.transaction():
        row = connection.execute(
            _CLAIM, {"refresh": refresh_id, "chunk": chunk, "run": run_id}
        ).fetchone()
        if row is None:
            return None
        add_run(connection, refresh_id, run_id)
    return Chunk(refresh_id, chunk, *row)


def lost_chunks(connection: psycopg.Connection) -> list[LostChunk]:
    """Return the chunks whose run's lease is free."""
    running = connection.execute(
        """select k.refresh_id, k.chunk, k.run_id from pipeline.refresh_chunk k
           join pipeline.refresh r on r.id = k.refresh_id
           where k.state = 'running' and r.state = 'running' order by k.refresh_id, k.chunk"""
    ).fetchall()
    free = {run: lease_is_free(connection, run) for run in {run for _, _, run in running}}
    return [LostChunk(*row) for row in running if free[row[2]]]


def release_chunk(connection: psycopg.Connection, lost: LostChunk) -> bool:
    """Make a lost chunk pending again, or dead; return whether it is pending."""
    row = connection.execute(
        _RELEASE,
        {
            "refresh": lost.refresh_id,
            "chunk": lost.number,
            "run": lost.run_id,
            "max": MAX_ATTEMPTS,
        },
    ).fetchone()
    return bool(row and row[0] == "pending")


def cancel_chunk(connection: psycopg.Connection, refresh_id: str, chunk: int) -> None:
    """Close a chunk that a person has cancelled; its stored components stay."""
    connection.execute(
        """update pipeline.refresh_chunk set state = 'cancelled'
           where refresh_id = %s and chunk = %s and state in ('pending', 'running')""",
        (refresh_id, chunk),
    )


def put_back(connection: psycopg.Connection, chunk: Chunk) -> None:
    """Make a claimed chunk pending again after its run was told to stop; no attempt is counted."""
    connection.execute(
        """update pipeline.refresh_chunk set state = 'pending', run_id = null,
               attempt = attempt - 1
           where refresh_id = %s and chunk = %s and attempt = %s and state = 'running'""",
        (chunk.refresh_id, chunk.number, chunk.attempt),
    )


def give_up_chunk_attempt(connection: psycopg.Connection, chunk: Chunk) -> None:
    """Count an attempt whose run ended before it claimed the chunk; dead after MAX_ATTEMPTS.

    Does nothing if another run has claimed the chunk meanwhile.
    """
    connection.execute(
        """update pipeline.refresh_chunk set attempt = attempt + 1,
               state = case when attempt + 1 < %s then 'pending' else 'dead' end
           where refresh_id = %s and chunk = %s and attempt = %s and state = 'pending'""",
        (MAX_ATTEMPTS, chunk.refresh_id, chunk.number, chunk.attempt),
    )


def pending_chunks(connection: psycopg.Connection, *, limit: int = 100) -> list[Chunk]:
    """Return pending chunks for which sensors start runs, those of the oldest refresh first."""
    return [Chunk(*row) for row in connection.execute(_PENDING, (limit,))]


def next_chunk(connection: psycopg.Connection, refresh_id: str) -> int | None:
    """Return the number of the refresh's first pending chunk, None if there is none."""
    row = connection.execute(
        """select min(chunk) from pipeline.refresh_chunk
           where refresh_id = %s and state = 'pending'""",
        (refresh_id,),
    ).fetchone()
    return row[0] if row else None


def chunk_components(connection: psycopg.Connection, chunk: Chunk) -> dict[str, Action]:
    """Return the chunk's components that have no outcome yet: action by component id."""
    rows = connection.execute(
        """select component_id, action from pipeline.refresh_component
           where refresh_id = %s and chunk = %s and outcome is null order by component_id""",
        (chunk.refresh_id, chunk.number),
    )
    return dict(rows.fetchall())


def add_progress(
    connection: psycopg.Connection,
    chunk: Chunk,
    *,
    downloaded: int = 0,
    embedded: int = 0,
    stored: int = 0,
    failed: int = 0,
) -> None:
    """Add to the chunk's counts; a database trigger notifies watchers."""
    connection.execute(
        """update pipeline.refresh_chunk set downloaded = downloaded + %s,
               embedded = embedded + %s, stored = stored + %s, failed = failed + %s
           where refresh_id = %s and chunk = %s""",
        (downloaded, embedded, stored, failed, chunk.refresh_id, chunk.number),
    )


def finish_chunk(connection: psycopg.Connection, chunk: Chunk) -> None:
    """Mark the chunk as done, with or without failed components."""
    connection.execute(
        """update pipeline.refresh_chunk set state = 'done'
           where refresh_id = %s and chunk = %s and state = 'running'""",
        (chunk.refresh_id, chunk.number),
    )


# The hash of catalog.component.bucket_key in SQL; a test compares the two.
BUCKET = sql.SQL("(('x' || substr(md5(component_id), 1, 8))::bit(32)::bigint %% %(buckets)s)")
_KEY = re.compile(r"bucket-([0-9]{5})-of-([1-9][0-9]{0,5})")
_IN_BUCKETS = """
select component_id from pipeline.manifest_entry where {bucket} = any(%(numbers)s)
order by component_id
"""
_VERSIONS = """
select {bucket} as bucket, count(*),
       md5(string_agg(component_id || ' ' || revision, e'\\n' order by component_id))
from pipeline.component where removed_at is null and {bucket} = any(%(numbers)s)
group by bucket
"""
# A fault of the manifest entry does not fail the bucket.
_FAILING = """
select distinct {bucket} from pipeline.failure
where phase <> 'manifest' and {bucket} = any(%(numbers)s)
"""


def components_in_buckets(
    connection: psycopg.Connection, keys: Sequence[str], buckets: int
) -> list[str]:
    """Return the ids that the manifest lists in the buckets `keys`. Raises ValueError."""
    terms = {"buckets": buckets, "numbers": [_number(key, buckets) for key in keys]}
    statement = sql.SQL(_IN_BUCKETS).format(bucket=BUCKET)
    return [row[0] for row in connection.execute(statement, terms)]


def bucket_versions(
    connection: psycopg.Connection, keys: Sequence[str], buckets: int
) -> dict[str, tuple[int, str]]:
    """Return each bucket's number of components and the hash of their indexed revisions, by key."""
    numbers = {_number(key, buckets): key for key in keys}
    terms = {"buckets": buckets, "numbers": list(numbers)}
    statement = sql.SQL(_VERSIONS).format(bucket=BUCKET)
    return {
        numbers[number]: (count, version)
        for number, count, version in connection.execute(statement, terms)
    }


def failing_buckets(
    connection: psycopg.Connection, keys: Sequence[str], buckets: int
) -> frozenset[str]:
    """Return those of the buckets `keys` that hold a failed component."""
    numbers = {_number(key, buckets): key for key in keys}
    statement = sql.SQL(_FAILING).format(bucket=BUCKET)
    rows = connection.execute(statement, {"buckets": buckets, "numbers": list(numbers)})
    return frozenset(numbers[number] for (number,) in rows)


def is_bucket(key: str, buckets: int) -> bool:
    """Return whether `key` names one of `buckets` buckets."""
    found = _KEY.fullmatch(key)
    return bool(found) and int(found[2]) == buckets and int(found[1]) < buckets


def _number(key: str, buckets: int) -> int:
    """Return the number in a bucket's key. Raises ValueError for a key of another setting."""
    if not is_bucket(key, buckets):
        raise ValueError(
            f"partition {key} is none of {buckets} buckets (refresh.partition_buckets); it is left "
            "over from another setting and can be wiped"
        )
    return int(key.split("-")[1])
