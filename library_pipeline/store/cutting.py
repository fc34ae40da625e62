"""Cutting a plan into chunks: what is due in the temporary table `plan_row` becomes work."""

from __future__ import annotations

import psycopg
from psycopg import sql

from library_pipeline.store.buckets import BUCKET

_COMPONENTS = """
insert into pipeline.refresh_component (refresh_id, component_id, chunk, action, outcome)
select %(refresh)s, component_id, (row_number() over (order by {order}) - 1) / %(size)s, action,
       case when action = 'report' then 'unchanged' end
from (select component_id, action from plan_row where due order by {order} limit %(limit)s) taken
"""
_CHUNKS = """
insert into pipeline.refresh_chunk (refresh_id, chunk, size)
select refresh_id, chunk, count(*) from pipeline.refresh_component
where refresh_id = %(refresh)s group by refresh_id, chunk
"""
# Somebody may have cancelled it while its manifest was being read.
_HEED_CANCELLATION = """
update pipeline.refresh_chunk set state = 'cancelled' where refresh_id = %(refresh)s
  and (select cancel_asked_at from pipeline.refresh where id = %(refresh)s) is not null
"""


def cut_chunks(
    connection: psycopg.Connection,
    refresh_id: str,
    *,
    size: int,
    limit: int | None,
    buckets: int | None,
) -> None:
    """Record at most `limit` due components as the refresh's, in chunks of `size`.

    With `buckets`, those of a hash bucket go into one chunk, or into neighbouring ones.
    """
    by_id = sql.SQL("component_id")
    order = sql.SQL("{}, {}").format(BUCKET, by_id) if buckets else by_id
    terms = {"refresh": refresh_id, "limit": limit, "size": size, "buckets": buckets}
    connection.execute(sql.SQL(_COMPONENTS).format(order=order), terms)
    connection.execute(_CHUNKS, terms)


def chunks_to_do(connection: psycopg.Connection, refresh_id: str) -> dict[int, int]:
    """Return the size of each chunk by its number; none if the refresh was cancelled meanwhile."""
    connection.execute(_HEED_CANCELLATION, {"refresh": refresh_id})
    rows = connection.execute(
        """select chunk, size from pipeline.refresh_chunk
           where refresh_id = %s and state = 'pending' order by chunk""",
        (refresh_id,),
    )
    return dict(rows.fetchall())
