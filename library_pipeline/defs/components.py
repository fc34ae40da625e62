"""The assets of components: a run does a chunk, or a UI run's partitions, and tells Dagster."""

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import dagster as dg

from library_pipeline.catalog.component import component_id, partition_of
from library_pipeline.catalog.errors import Failure
from library_pipeline.catalog.refresh import RefreshRequest, RefreshScope
from library_pipeline.database.connection import BUNDLES_IN_USE, lease
from library_pipeline.defs.materializations import (
    BUNDLE,
    CODE_VERSION,
    EMBEDDING,
    INDEX,
    MANIFEST,
    bucket_materializations,
    materializations,
)
from library_pipeline.defs.resources import (
    BundleStoreResource,
    DatabaseResource,
    EncodersResource,
    SourcesResource,
)
from library_pipeline.defs.storage import (
    components_partitions,
    log_materializations,
    mark_failed,
    newest_event_id,
    register_partitions,
)
from library_pipeline.index.write import thumbnails
from library_pipeline.refresh.chunk import close_chunk, refresh_chunk
from library_pipeline.refresh.chunks import (
    Chunk,
    bucket_versions,
    claim,
    components_in_buckets,
    failing_buckets,
    next_chunk,
)
from library_pipeline.refresh.items import Equipment, Stage, Success
from library_pipeline.refresh.log import leave_to_sensors, new_refresh_id
from library_pipeline.refresh.planning import UnknownComponentError, plan_refresh
from library_pipeline.settings import load_settings

_STAGES: dict[dg.AssetKey, Stage] = {BUNDLE: "bundle", EMBEDDING: "embedding", INDEX: "index"}
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_NOTE = b"\nstopping: started work is stored first; a second signal stops at once\n"


class ChunkConfig(dg.Config):
    """Which chunk of which refresh a run does; empty for a run over partitions from the UI."""

    refresh_id: str | None = None
    chunk: int = 0


def chunk_config(refresh_id: str, chunk: int) -> dg.RunConfig:
    """Return the configuration of a run that does one chunk."""
    return dg.RunConfig(ops={"refresh_components": ChunkConfig(refresh_id=refresh_id, chunk=chunk)})


def _spec(key: dg.AssetKey, upstream: dg.AssetKey, kind: str, description: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        key,
        deps=[upstream],
        description=description,
        skippable=True,
        group_name="components",
        kinds={kind},
        code_version=CODE_VERSION,
    )


@dg.multi_asset(
    name="refresh_components",
    specs=[
        _spec(
            BUNDLE,
            MANIFEST,
            "http",
            "A revision's config, format, records and screenshot, kept by digest.",
        ),
        _spec(
            EMBEDDING,
            BUNDLE,
            "pytorch",
            "The screenshot as an L2-normalized vector, one by each encoder.",
        ),
        _spec(INDEX, EMBEDDING, "postgres", "The component as search finds it."),
    ],
    partitions_def=components_partitions,
    can_subset=True,
    # One run for any range: its components are independent and share the loaded model.
    backfill_policy=dg.BackfillPolicy.single_run(),
    pool="gpu",
)
def refresh_components(
    context: dg.AssetExecutionContext,
    config: ChunkConfig,
    database: DatabaseResource,
    sources: SourcesResource,
    bundle_store: BundleStoreResource,
    encoders: EncodersResource,
) -> Iterator[Any]:
    """Download, embed and index components: a refresh's chunk, or the partitions of a UI run."""
    # Dagster expects outputs of a multi-asset, but an output marks every key of the run as
    # materialized, failed ones too. So this one yields none and logs its own events, in batches.
    yield from ()
    run_id = context.run.run_id
    with database.open() as db, lease(db, BUNDLES_IN_USE):
        equipment = Equipment(
            database=db,
            bundles=bundle_store.store(),
            sources=sources.any_configured(),  # a reembed needs none
            encoders=encoders.register(db),
            load=encoders.loader(),
            batch_size=encoders.batch_size,
        )
        failures: list[Failure] = []
        with _stop_on_signal(equipment.stop):
            for chunk in _chunks(context, equipment, config, run_id):
                failures += _do_chunk(context, equipment, chunk)
        if equipment.stop.is_set():
            # Dagster then shows the run as cancelled if it was terminated in the UI.
            raise dg.DagsterExecutionInterruptedError
    if failures:
        raise dg.Failure(
            f"{len(failures)} of this run's components failed; the others are done",
            metadata={
                "failed": dg.MetadataValue.json(
                    {item.component_id: f"{item.code}: {item.message}" for item in failures[:100]}
                )
            },
            allow_retries=False,
        )


def _chunks(
    context: dg.AssetExecutionContext, equipment: Equipment, config: ChunkConfig, run_id: str
) -> Iterator[Chunk]:
    """Claim and yield the chunks of this run, one after the other."""
    database = equipment.database
    if config.refresh_id:
        with database.connect() as connection:
            chunk = claim(connection, config.refresh_id, config.chunk, run_id)
        if chunk:
            yield chunk
        else:
            context.log.info(
                f"refresh {config.refresh_id}, chunk {config.chunk}: another run has it, or it is "
                "done"
            )
        return
    if not (context.has_partition_key or context.has_partition_key_range):
        raise dg.Failure(
            "This run names no components: choose partitions, or start one of the jobs "
            "incremental_refresh and full_refresh, which find out what to do themselves.",
            allow_retries=False,
        )
    refresh_id = new_refresh_id(datetime.now(UTC))
    with lease(database, refresh_id), database.connect() as connection:
        _plan_partitions(context, equipment, refresh_id)
        chunk = _claim_next(equipment, refresh_id, run_id)
        # From here on the run's own lease counts: if the run dies, the chunk sensor starts another.
        leave_to_sensors(connection, refresh_id)
    while chunk:
        yield chunk
        chunk = None if equipment.stop.is_set() else _claim_next(equipment, refresh_id, run_id)


def _plan_partitions(
    context: dg.AssetExecutionContext, equipment: Equipment, refresh_id: str
) -> None:
    """Record a refresh of the run's partitions; other unfinished refreshes keep their components.

    Raises dg.Failure if the manifest does not list a component.
    """
    settings = load_settings().refresh
    if settings.partition_buckets:
        with equipment.database.connect() as connection:
            ids = components_in_buckets(
                connection, context.partition_keys, settings.partition_buckets
            )
    else:
        ids = [component_id(key) for key in context.partition_keys]
    request = RefreshRequest(
        refresh_id=refresh_id,
        kind="selected",
        asked_by="ui",
        scope=RefreshScope(only=tuple(ids)),
        in_process=True,
    )
    try:
        plan = plan_refresh(
            equipment.database,
            equipment.encoders,
            request,
            run_id=context.run.run_id,
            chunk_size=settings.chunk_size,
            max_removed_share=0.0,
            sources=None,
        )
    except UnknownComponentError as error:
        raise dg.Failure(f"{error}; materialize cms_manifest first", allow_retries=False) from error
    if plan.planned < len(ids):
        context.log.info(
            f"{len(ids) - plan.planned} of {len(ids)} components are left out: another unfinished "
            "refresh is at them, or their manifest entry is broken"
        )


def _claim_next(equipment: Equipment, refresh_id: str, run_id: str) -> Chunk | None:
    with equipment.database.connect() as connection:
        number = next_chunk(connection, refresh_id)
        return None if number is None else claim(connection, refresh_id, number, run_id)


def _do_chunk(
    context: dg.AssetExecutionContext, equipment: Equipment, chunk: Chunk
) -> list[Failure]:
    """Do a claimed chunk, tell Dagster, close the chunk, and return its final failures."""
    selected = [key for key in _STAGES if key in context.selected_asset_keys]
    failing = selected
    if chunk.kind == "reembed":
        # The index row rests on the new vectors as well, so it is told and does not look stale. A
        # component that a reembed fails at stays searchable, so only its embedding is red.
        selected, failing = [key for key in selected if key != BUNDLE], [EMBEDDING]
    report = refresh_chunk(equipment, chunk, stages=frozenset(_STAGES[key] for key in selected))
    if report.news:
        _tell_successes(context, equipment, selected, report.news)
    close_chunk(equipment.database, chunk, report)
    # A transient failure is tried again at the refresh's end, and final only after that.
    final = [item for item in report.failures if chunk.second_try or not item.transient]
    _tell_failures(context, failing, final)
    for failure in report.failures:
        again = "" if failure in final else " (will be tried again at the end of the refresh)"
        context.log.warning(f"{failure.component_id}: {failure.code}: {failure.message}{again}")
    return final


def _tell_successes(
    context: dg.AssetExecutionContext,
    equipment: Equipment,
    selected: Sequence[dg.AssetKey],
    successes: Sequence[Success],
) -> None:
    """Materialize the partitions of components that succeeded, one asset after the other.

    A bucket with a failed component stays red until that failure is gone; then it is materialized
    with everything that is new in it.
    """
    settings = load_settings()
    buckets = settings.refresh.partition_buckets
    keys = sorted({partition_of(success.component_id, buckets) for success in successes})
    # The planning run has registered new keys already, unless it died before.
    register_partitions(context.instance, keys)
    with equipment.database.connect() as connection:
        if buckets:
            failing = failing_buckets(connection, keys, buckets)
            successes = [
                each
                for each in successes
                if partition_of(each.component_id, buckets) not in failing
            ]
            versions = bucket_versions(connection, [k for k in keys if k not in failing], buckets)
            pictures = {}
        else:
            versions = {}
            digests = {success.bundle.screenshot_sha256 for success in successes}
            pictures = thumbnails(connection, digests)
    # A run without bundles builds on the bundles that were materialized before.
    pointer = "NULL" if BUNDLE in selected else newest_event_id(context.instance)
    for asset_key in selected:
        if buckets:
            events = bucket_materializations(
                asset_key,
                successes,
                versions=versions,
                buckets=buckets,
                encoders=equipment.encoders,
                upstream_pointer=pointer,
            )
        else:
            events = materializations(
                asset_key,
                successes,
                encoders=equipment.encoders,
                thumbnails=pictures,
                upstream_pointer=pointer,
                web_url=settings.web_url,
            )
        log_materializations(context, events)
        pointer = newest_event_id(context.instance)


def _tell_failures(
    context: dg.AssetExecutionContext,
    selected: Sequence[dg.AssetKey],
    failures: Sequence[Failure],
) -> None:
    """Mark the partitions of failed components, which Dagster then shows in red."""
    buckets = load_settings().refresh.partition_buckets
    keys = sorted({partition_of(failure.component_id, buckets) for failure in failures})
    # Dagster shows nothing of an unknown partition, such as a bucket before its first success.
    register_partitions(context.instance, keys)
    for asset_key in selected:
        mark_failed(context, asset_key, keys)


@contextmanager
def _stop_on_signal(stop: threading.Event) -> Iterator[None]:
    """Set `stop` at the first SIGINT or SIGTERM; raise KeyboardInterrupt at the second.

    Signals can only be handled in the main thread; in any other this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def note(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        os.write(2, _NOTE)

    before = {number: signal.signal(number, note) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
