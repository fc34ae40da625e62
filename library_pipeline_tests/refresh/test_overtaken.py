"""What is told of a component is what the index holds, whoever tells last."""

from __future__ import annotations

import psycopg

from library_pipeline.refresh.chunks import Chunk
from library_pipeline_tests.support.refreshing import Refresher


def test_what_another_refresh_has_overtaken_before_it_was_told_is_not_told(
    refresh: Refresher, connection: psycopg.Connection
) -> None:
    """A chunk tells at its end; the older revision must not become the latest that Dagster knows.

    The trigger stands for a refresh that indexes a newer revision meanwhile.
    """

    def overtake(chunk: Chunk) -> None:
        connection.execute(
            """create function pipeline.overtake() returns trigger language plpgsql as $$ begin
                   update pipeline.component set revision = 'newer' where component_id = 'c-1';
                   return new; end $$;
               create trigger overtake after update of outcome on pipeline.refresh_component
                   for each row when (new.component_id = 'c-1')
                   execute function pipeline.overtake()"""
        )

    refresh.before_chunk = overtake
    refresh()
    assert len(refresh.reports[-1].succeeded) == 6
    assert {report.component_id for report in refresh.told} == {
        f"c-{number}" for number in range(6) if number != 1
    }


def test_a_bundle_downloaded_ahead_of_the_index_is_told_of(
    refresh: Refresher, connection: psycopg.Connection
) -> None:
    """A run of the bundles alone leaves the index as it is; its materializations still count."""
    refresh(stages=frozenset({"bundle"}))
    assert len(refresh.told) == 6
    assert connection.execute("select count(*) from pipeline.component").fetchone() == (0,)
