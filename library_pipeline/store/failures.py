"""Failures, kept until the component succeeds or leaves: why, how often, and when it is tried."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from library_pipeline.catalog.failures import Failure
from library_pipeline.store.outcomes import set_outcomes

# A transient failure is due again after 1, 2, 4, ... minutes, at most a day; a permanent one
# waits for a new revision, a full refresh or a retry.
_RECORD = """
insert into pipeline.failure as f (component_id, revision, refresh_id, phase, code, message,
                                   transient, next_due_at)
select m.component_id, m.revision, %(refresh)s, %(phase)s, %(code)s, %(message)s, %(transient)s,
       case when %(transient)s then now() + interval '1 minute' end
from {failed} m where m.component_id = %(id)s
on conflict (component_id) do update set revision = excluded.revision,
    refresh_id = excluded.refresh_id, phase = excluded.phase, code = excluded.code,
    message = excluded.message, transient = excluded.transient, last_failed_at = now(),
    attempts = case when f.revision = excluded.revision then f.attempts + 1 else 1 end,
    next_due_at = case when excluded.transient then
        now() + case when f.revision = excluded.revision
            then least(interval '1 minute' * 2 ^ least(f.attempts, 20), interval '1 day')
            else interval '1 minute' end end
{where}
"""
# A reembed is about the indexed revision; a newer one's failure says more, and stays.
_OF_REFRESH = _RECORD.format(failed="pipeline.manifest_entry", where="")
_OF_REEMBED = _RECORD.format(
    failed="pipeline.component", where="where f.revision = excluded.revision"
)


def record_failures(
    connection: psycopg.Connection,
    refresh_id: str,
    failures: Sequence[Failure],
    *,
    reembedding: bool = False,
) -> None:
    """Record that `failures` happened in `refresh_id`; what is indexed of them stays searchable.

    A failure is the manifest's revision's, or the indexed one's where that was `reembedding`.
    """
    rows = [
        {
            "refresh": refresh_id,
            "id": failure.component_id,
            "phase": failure.phase,
            "code": failure.code,
            "message": failure.message,
            "transient": failure.transient,
        }
        for failure in sorted(failures, key=lambda failure: failure.component_id)
    ]
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(_OF_REEMBED if reembedding else _OF_REFRESH, rows)
        set_outcomes(connection, refresh_id, {item.component_id: "failed" for item in failures})


def failures_of(
    connection: psycopg.Connection, refresh_id: str, *, limit: int | None = None
) -> list[Failure]:
    """Return the failures whose last attempt was in `refresh_id`, by component id."""
    return _read(connection, refresh_id=refresh_id, limit=limit)


def open_failures(
    connection: psycopg.Connection, *, limit: int = 100, after: str = ""
) -> list[Failure]:
    """Return the failures that stand, by component id, at most `limit`, behind the id `after`."""
    return _read(connection, refresh_id=None, limit=limit, after=after)


def without_failure(connection: psycopg.Connection, component_ids: Sequence[str]) -> list[str]:
    """Return those of `component_ids` of which no failure stands."""
    rows = connection.execute(
        """select id from unnest(%s::text[]) id
           where not exists (select from pipeline.failure f where f.component_id = id)""",
        (list(component_ids),),
    )
    return [row[0] for row in rows]


def open_failure(connection: psycopg.Connection, component_id: str) -> Failure | None:
    """Return the failure of one component that stands, if any."""
    return next(iter(_read(connection, component_id=component_id, limit=1)), None)


def _read(
    connection: psycopg.Connection,
    *,
    refresh_id: str | None = None,
    component_id: str | None = None,
    limit: int | None,
    after: str = "",
) -> list[Failure]:
    rows = connection.execute(
        """select component_id, phase, code, message, transient, attempts, next_due_at
           from pipeline.failure
           where (%(refresh)s::text is null or refresh_id = %(refresh)s)
             and (%(component)s::text is null or component_id = %(component)s)
             and component_id > %(after)s
           order by component_id limit %(limit)s""",
        {"refresh": refresh_id, "component": component_id, "limit": limit, "after": after},
    )
    return [Failure(*row) for row in rows]
