"""Components as Dagster partitions: one each, or in a large library hash buckets of them."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from library_pipeline.catalog.partition_keys import component_id
from library_pipeline.defs.dagster_storage import delete_partitions
from library_pipeline.store.buckets import components_in_buckets
from library_pipeline.store.database import Database

NAME = "components"
components_partitions = dg.DynamicPartitionsDefinition(name=NAME)


def components_of(database: Database, keys: Sequence[str], buckets: int | None) -> list[str]:
    """Return the ids of the components that the partitions `keys` stand for."""
    if not buckets:
        return [component_id(key) for key in keys]
    with database.connect() as connection:
        return components_in_buckets(connection, keys, buckets)


def register_partitions(instance: dg.DagsterInstance, keys: Sequence[str]) -> None:
    """Make partition keys known; idempotent and set-based, so 100,000 take seconds."""
    if keys:
        instance.add_dynamic_partitions(NAME, list(keys))


def forget_partitions(
    instance: dg.DagsterInstance, removed: Sequence[str], buckets: int | None
) -> None:
    """Drop the partitions of components that have left the CMS; a bucket outlives them."""
    if removed and not buckets:
        delete_partitions(instance, NAME, removed)
