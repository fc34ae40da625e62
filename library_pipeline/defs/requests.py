"""The runs that the chunk sensor asks for. Asking twice is harmless: Dagster knows a run_key."""

import dagster as dg
import psycopg

from library_pipeline.defs.config import ChunkConfig
from library_pipeline.store.chunks import MAX_ATTEMPTS, Chunk
from library_pipeline.store.closing import count_closing_run, set_checked, unchecked_refreshes

REFRESH_TAG = "library/refresh"
COMPONENTS_TAG = "library/components"

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def chunk_config(refresh_id: str, chunk: int) -> dg.RunConfig:
    """Return the configuration of a run that does one chunk."""
    return dg.RunConfig(ops={"refresh_components": ChunkConfig(refresh_id=refresh_id, chunk=chunk)})


def chunk_request(chunk: Chunk) -> dg.RunRequest:
    """Return the request for a chunk's run: the same at every tick until the chunk is claimed."""
    return dg.RunRequest(
        job_name="refresh_chunk",
        run_key=_run_key(chunk),
        run_config=chunk_config(chunk.refresh_id, chunk.number),
        tags={REFRESH_TAG: chunk.refresh_id, COMPONENTS_TAG: str(chunk.size)},
    )


def ended_without_claim(instance: dg.DagsterInstance, chunk: Chunk) -> bool:
    """Whether a run was asked for and ended, while the chunk still waits for that very run."""
    requested = dg.RunsFilter(tags={"dagster/run_key": _run_key(chunk)})
    return any(run.is_finished for run in instance.get_runs(requested, limit=1))


def closing_request(
    instance: dg.DagsterInstance, connection: psycopg.Connection
) -> dg.RunRequest | None:
    """Return the request for a run that closes refreshes, unless there are none or it runs."""
    waiting = unchecked_refreshes(connection)
    under_way = dg.RunsFilter(job_name="close_refresh", statuses=UNFINISHED)
    if not waiting or instance.get_run_ids(under_way, limit=1):
        return None
    newest = waiting[-1]
    attempt = count_closing_run(connection, newest)
    if attempt > MAX_ATTEMPTS:
        # What it does is done by the next refresh's as well.
        set_checked(connection, waiting)
        return None
    return dg.RunRequest(
        job_name="close_refresh",
        run_key=f"{newest}:close:{attempt}",
        tags={REFRESH_TAG: newest},
    )


def _run_key(chunk: Chunk) -> str:
    return f"{chunk.refresh_id}:{chunk.number}:{chunk.attempt}"
