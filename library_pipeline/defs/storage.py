"""Dagster's storage: where it is, events in batches, and components as partitions.

Only this module goes past Dagster's public API; tests fail when what it uses changes. An event
logged on its own costs 38 ms on Postgres, in a batch under 1 ms. A batch must hold events of one
asset: Dagster updates the asset's own record for a batch's last event only.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import sqlalchemy
from dagster._core.events import (
    AssetMaterializationPlannedData,
    DagsterEvent,
    DagsterEventBatchMetadata,
    generate_event_batch_id,
)
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import SqlEventLogStorage
from dagster._core.storage.event_log.schema import DynamicPartitionsTable
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage

from library_pipeline.settings import DAGSTER_DATABASE_VARIABLE, SettingsError, load_settings

BATCH_SIZE = 1000
# Dagster reads this for each event; without it every event is a round trip.
os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(BATCH_SIZE))
_TEXTS = sqlalchemy.ARRAY(sqlalchemy.Text)
COMPONENTS = "components"
components_partitions = dg.DynamicPartitionsDefinition(name=COMPONENTS)


class LibraryStorage(DagsterPostgresStorage):
    """dagster-postgres's storage in the database that `dagster_database_url` names."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Return no keys: library.yaml and the environment configure the storage."""
        return {}

    @classmethod
    def from_config_value(  # pyright: ignore[reportIncompatibleMethodOverride]
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> LibraryStorage:
        """Return the storage. Raises SettingsError where no database is configured or started."""
        url = load_settings().dagster_database_url
        if url is None:
            raise SettingsError(
                f"{DAGSTER_DATABASE_VARIABLE} is not set, so Dagster has no database. To start the "
                'embedded server for this shell: eval "$(library-pipeline env)". To use a server '
                "of your own, set it to postgresql+psycopg2://user@host/dagster, and "
                "LIBRARY_DATABASE_URL to postgresql://user@host/library."
            )
        return cls(postgres_url=url.get_secret_value(), inst_data=inst_data)


def log_materializations(
    context: dg.AssetExecutionContext, materializations: Sequence[dg.AssetMaterialization]
) -> None:
    """Log `materializations` in batches. Raises ValueError unless all are of one asset."""
    if len({materialization.asset_key for materialization in materializations}) > 1:
        raise ValueError("a batch of materializations must be of one asset")
    step = context.op_execution_context._step_execution_context
    batch_id = generate_event_batch_id()
    last = len(materializations) - 1
    for position, materialization in enumerate(materializations):
        batch = DagsterEventBatchMetadata(batch_id, position == last)
        DagsterEvent.asset_materialization(step, materialization, batch)


def mark_failed(
    context: dg.AssetExecutionContext, asset_key: dg.AssetKey, keys: Sequence[str]
) -> None:
    """Let Dagster show the partitions `keys` as failed once this run ends as a failure.

    Dagster shows a partition as failed if the run planned to materialize it and did not.
    """
    if not keys:
        return
    step_key = context.op_execution_context._step_execution_context.step.key
    entries = [_planned(context.run, step_key, asset_key, key) for key in keys]
    storage = _sql_storage(context.instance)
    *others, last = entries
    for start in range(0, len(others), BATCH_SIZE):
        with storage.index_connection() as connection:
            insert = storage.prepare_insert_event_batch(others[start : start + BATCH_SIZE])
            connection.execute(insert)
    # The usual way for the last one also updates the asset's own record.
    context.instance.handle_new_event(last)


def _planned(run: dg.DagsterRun, step_key: str, asset_key: dg.AssetKey, key: str) -> EventLogEntry:
    event = DagsterEvent.build_asset_materialization_planned_event(
        run.job_name, step_key, AssetMaterializationPlannedData(asset_key, partition=key)
    )
    return EventLogEntry(
        error_info=None,
        user_message="",
        level=logging.INFO,
        run_id=run.run_id,
        timestamp=time.time(),
        step_key=step_key,
        job_name=run.job_name,
        dagster_event=event,
    )


def sensors_run(instance: dg.DagsterInstance) -> bool:
    """Return whether a daemon is alive that starts the runs which sensors request."""
    return instance.get_daemon_statuses(["SENSOR"])["SENSOR"].healthy is True


def _sql_storage(instance: dg.DagsterInstance) -> SqlEventLogStorage:
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        raise TypeError(f"Dagster's events must be kept in SQL, not in {type(storage).__name__}")
    return storage


def newest_event_id(instance: dg.DagsterInstance) -> str:
    """Return the newest event's id, the pointer from an asset to its upstream events."""
    return str(instance.event_log_storage.get_maximum_record_id() or "NULL")


def register_partitions(instance: dg.DagsterInstance, keys: Sequence[str]) -> None:
    """Make partition keys known; idempotent and set-based, so 100,000 take seconds."""
    if keys:
        instance.add_dynamic_partitions(COMPONENTS, list(keys))


def forget_partitions(instance: dg.DagsterInstance, keys: Sequence[str]) -> None:
    """Delete partition keys at once; Dagster's own way takes 10 ms for each."""
    if not keys:
        return
    table = DynamicPartitionsTable
    statement = table.delete().where(
        table.c.partitions_def_name == COMPONENTS,
        table.c.partition == sqlalchemy.any_(sqlalchemy.literal(list(keys), _TEXTS)),
    )
    with _sql_storage(instance).index_connection() as connection:
        connection.execute(statement)
