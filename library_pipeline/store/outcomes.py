"""What became of a refresh's components, and which of it Dagster has yet to be told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import psycopg

from library_pipeline.catalog.bundle import Bundle
from library_pipeline.catalog.refresh import Outcome
from library_pipeline.store.chunks import Chunk

_UNREPORTED = """
select rc.component_id, rc.outcome, c.revision, b.files from pipeline.refresh_component rc
join pipeline.component c using (component_id)
join pipeline.bundle b on b.component_id = c.component_id and b.revision = c.revision
where rc.refresh_id = %s and rc.chunk = %s and rc.reported_at is null
  and rc.outcome in ('new', 'changed', 'unchanged') order by rc.component_id
"""


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


def unreported(connection: psycopg.Connection, chunk: Chunk) -> dict[str, tuple[Outcome, Bundle]]:
    """Return the chunk's components that are indexed and of which nobody has told Dagster yet."""
    return {
        component_id: (outcome, Bundle.of_json(component_id, revision, files))
        for component_id, outcome, revision, files in connection.execute(
            _UNREPORTED, (chunk.refresh_id, chunk.number)
        )
    }


def set_reported(
    connection: psycopg.Connection, refresh_id: str, component_ids: Iterable[str]
) -> None:
    """Record that Dagster has been told of these components."""
    connection.execute(
        """update pipeline.refresh_component set reported_at = now()
           where refresh_id = %s and component_id = any(%s)""",
        (refresh_id, list(component_ids)),
    )
