"""Outcomes of a refresh's components, their failures, and which of them Dagster knows.

A failure is open until the component succeeds or leaves the library.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import psycopg

from library_pipeline.catalog.component import Bundle
from library_pipeline.catalog.errors import Failure
from library_pipeline.catalog.refresh import Outcome

_UNREPORTED = """
select rc.component_id, rc.outcome, c.revision, b.files from pipeline.refresh_component rc
join pipeline.component c using (component_id)
join pipeline.bundle b on b.component_id = c.component_id and b.revision = c.revision
where rc.refresh_id = %s and rc.chunk = %s and rc.reported_at is null
  and rc.outcome in ('new', 'changed', 'unchanged') order by rc.component_id
"""
# A transient failure is due again after 1, 2, 4, ... minutes, at most after a day. A permanent one
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
# A reembed works on the indexed revision. The failure of a newer revision says more and stays.
_OF_REFRESH = _RECORD.format(failed="pipeline.manifest_entry", where="")
_OF_REEMBED = _RECORD.format(
    failed="pipeline.component", where="where f.revision = excluded.revision"
)


def set_outcomes(
    connection: psycopg.Connection, refresh_id: str, outcomes: Mapping[str, Outcome]
) -> None:
    """Record the outcomes of a refresh's components, by component id."""
    connection.execute(
        """update pipeline.refresh_component set outcome = done.outcome
           from unnest(%s::text[], %s::text[]) as done (component_id, outcome)
           where refresh_id = %s and refresh_component.component_id = done.component_id""",
        (list(outcomes), list(outcomes.values()), refresh_id),
    )


def unreported(
    connection: psycopg.Connection, refresh_id: str, chunk: int
) -> dict[str, tuple[Outcome, Bundle]]:
    """Return the indexed components of a chunk that are not reported to Dagster yet, by id."""
    return {
        component_id: (outcome, Bundle.of_json(component_id, revision, files))
        for component_id, outcome, revision, files in connection.execute(
            _UNREPORTED, (refresh_id, chunk)
        )
    }


def set_reported(
    connection: psycopg.Connection, refresh_id: str, component_ids: Iterable[str]
) -> None:
    """Record that these components are reported to Dagster."""
    connection.execute(
        """update pipeline.refresh_component set reported_at = now()
           where refresh_id = %s and component_id = any(%s)""",
        (refresh_id, list(component_ids)),
    )


def record_failures(
    connection: psycopg.Connection,
    refresh_id: str,
    failures: Sequence[Failure],
    *,
    reembedding: bool = False,
) -> None:
    """Record the failures of a refresh. Components that are indexed stay searchable.

    A failure belongs to the manifest's revision, or to the indexed one when `reembedding`.
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


def without_failure(connection: psycopg.Connection, component_ids: Sequence[str]) -> list[str]:
    """Return those of `component_ids` that have no open failure."""
    rows = connection.execute(
        """select id from unnest(%s::text[]) id
           where not exists (select from pipeline.failure f where f.component_id = id)""",
        (list(component_ids),),
    )
    return [row[0] for row in rows]


def open_failures(
    connection: psycopg.Connection,
    *,
    refresh_id: str | None = None,
    component_id: str | None = None,
    limit: int | None = 100,
    after: str = "",
) -> list[Failure]:
    """Return at most `limit` open failures, ordered by component id, from behind the id `after`.

    With `refresh_id`, only those whose last attempt was in that refresh.
    """
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
