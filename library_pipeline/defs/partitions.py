"""One partition for each component of the library."""

import dagster as dg

components_partitions = dg.DynamicPartitionsDefinition(name="components")


def register_partitions(instance: dg.DagsterInstance, new: tuple[str, ...]) -> None:
    """Make the partition keys `new` known; idempotent and set-based, so 100,000 take seconds."""
    if new:
        instance.add_dynamic_partitions("components", list(new))


def forget_partitions(instance: dg.DagsterInstance, removed: tuple[str, ...]) -> None:
    """Drop the partitions of components that have left the CMS."""
    for key in removed:
        instance.delete_dynamic_partition("components", key)
