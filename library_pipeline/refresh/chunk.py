"""One chunk of a refresh, end to end: what is left of it is done, told of, and acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import psycopg

from library_pipeline.catalog.component import Component
from library_pipeline.refresh.items import ALL_STAGES, ChunkReport, Equipment, Report, Stage, Task
from library_pipeline.refresh.progress import Meter
from library_pipeline.refresh.stream import ChunkStream
from library_pipeline.store.chunks import (
    Chunk,
    cancel_chunk,
    chunk_components,
    finish_chunk,
    put_back,
)
from library_pipeline.store.closing import cancellation_asked, finish_if_done
from library_pipeline.store.index import indexed_bundles, indexed_files, known_bundles
from library_pipeline.store.log import is_forced
from library_pipeline.store.manifest import components
from library_pipeline.store.outcomes import set_outcomes, set_reported, unreported


def refresh_chunk(
    equipment: Equipment,
    chunk: Chunk,
    *,
    tell: Callable[[Sequence[Report]], None],
    stages: frozenset[Stage] = ALL_STAGES,
) -> ChunkReport:
    """Bring a claimed chunk's components up to date and return what became of each.

    Every batch is acknowledged by its own transaction, so whatever happens afterwards, what was
    stored stays. `tell` is given each success, those too that an earlier run of the chunk stored
    and died before it told of them. Raises what stops the whole chunk, such as a lost database;
    one component's failure is recorded and reported instead.

    Of a reembed, whatever the `stages`, only vectors of the configured encoders are made, from
    bundles that are kept.
    """
    connect = equipment.database.connect
    encoders = equipment.encoders
    reembeds = chunk.kind == "reembed"
    if reembeds:
        stages = frozenset[Stage]({"embedding"})
        encoders = tuple(each for each in encoders if each.registered.configured)
    with connect() as writing, connect() as reading, connect() as noting:
        tasks = _tasks_of_reembed(noting, chunk) if reembeds else _tasks(noting, chunk)
        meter = Meter(noting, chunk, equipment.stop)
        stream = ChunkStream(equipment, chunk, stages, encoders, writing, reading, meter)
        stream.run(tasks)
        _tell_all(noting, chunk, stream.reports, tell, indexed=reembeds or "index" in stages)
        stopped = meter.halt.is_set() and bool(chunk_components(noting, chunk))
        _leave(noting, chunk, stopped=stopped)
        return ChunkReport(tuple(stream.reports), tuple(meter.failures), stopped)


def _tell_all(
    connection: psycopg.Connection,
    chunk: Chunk,
    reports: Sequence[Report],
    tell: Callable[[Sequence[Report]], None],
    *,
    indexed: bool,
) -> None:
    told = {report.component_id for report in reports}
    earlier = [
        Report(component_id, bundle.revision, outcome, bundle)
        for component_id, (outcome, bundle) in unreported(
            connection, chunk.refresh_id, chunk.number
        ).items()
        if component_id not in told
    ]
    everything = [*reports, *earlier]
    news = _still_true(connection, everything) if indexed else everything
    if news:
        tell(news)
    if everything:
        set_reported(connection, chunk.refresh_id, [item.component_id for item in everything])


def _still_true(connection: psycopg.Connection, reports: Sequence[Report]) -> list[Report]:
    """Leave out what another refresh has overtaken meanwhile: it tells of the newer revision.

    Told afterwards, the older one would be the latest that is known, and stay so.
    """
    now = indexed_files(connection, [report.component_id for report in reports])
    return [
        report
        for report in reports
        if report.component_id in now and now[report.component_id].revision == report.revision
    ]


def _leave(connection: psycopg.Connection, chunk: Chunk, *, stopped: bool) -> None:
    """Close the chunk; one that was stopped goes back, unless its refresh is cancelled."""
    if not stopped:
        finish_chunk(connection, chunk)
    elif cancellation_asked(connection, chunk.refresh_id):
        cancel_chunk(connection, chunk.refresh_id, chunk.number)
    else:
        put_back(connection, chunk)
    finish_if_done(connection, chunk.refresh_id)


def _tasks(connection: psycopg.Connection, chunk: Chunk) -> list[Task]:
    """Return what is left to do in the chunk."""
    actions = chunk_components(connection, chunk)
    ids = list(actions)
    indexed, known = indexed_files(connection, ids), known_bundles(connection, ids)
    force = is_forced(connection, chunk.refresh_id)
    tasks = [
        Task(
            component,
            actions[component.component_id],
            indexed.get(component.component_id),
            known.get(component.component_id),
            force,
        )
        for component in components(connection, ids)
    ]
    return _leave_out_the_rest(connection, chunk, actions, tasks)


def _tasks_of_reembed(connection: psycopg.Connection, chunk: Chunk) -> list[Task]:
    """Return what is left to do in the chunk, of the revisions that search shows by now."""
    actions = chunk_components(connection, chunk)
    tasks = [
        Task(Component(component_id, bundle.revision, component_id, {}), "embed", known=bundle)
        for component_id, bundle in indexed_bundles(connection, list(actions)).items()
    ]
    return _leave_out_the_rest(connection, chunk, actions, tasks)


def _leave_out_the_rest(
    connection: psycopg.Connection, chunk: Chunk, ids: Iterable[str], tasks: list[Task]
) -> list[Task]:
    """Return `tasks`; what has left meanwhile is the next plan's business."""
    left = set(ids) - {task.component.component_id for task in tasks}
    set_outcomes(connection, chunk.refresh_id, dict.fromkeys(left, "unchanged"))
    return tasks
