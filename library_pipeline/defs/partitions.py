"""One partition for each component of the library."""

import dagster as dg

NAME = "components"
components_partitions = dg.DynamicPartitionsDefinition(name=NAME)


def register_partitions(instance: dg.DagsterInstance, new: tuple[str, ...]) -> None:
    """Make the partition keys `new` known; idempotent and set-based, so 100,000 take seconds."""
    if new:
        instance.add_dynamic_partitions(NAME, list(new))


def forget_partitions(instance: dg.DagsterInstance, removed: tuple[str, ...]) -> None:
    """Drop the partitions of components that have left the CMS."""
    for key in removed:
        instance.delete_dynamic_partition(NAME, key)
