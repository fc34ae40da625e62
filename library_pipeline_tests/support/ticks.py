"""Sensor ticks, one at a time, as Dagster's daemon evaluates them."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest


class Ticks:
    """Evaluates a sensor as the daemon does."""

    def __init__(self, definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self._repository = definitions.get_repository_def()
        self._resources = definitions.resources
        self._instance = instance

    def __call__(self, name: str) -> list[dg.RunRequest] | str:
        sensor = self._repository.get_sensor_def(name)
        with dg.build_sensor_context(
            self._instance,
            repository_def=self._repository,
            sensor_name=name,
            resources=self._resources,
        ) as context:
            data = sensor.evaluate_tick(context)
        return list(data.run_requests or []) or str(data.skip_message)


@pytest.fixture
def tick(definitions: dg.Definitions, instance: dg.DagsterInstance) -> Iterator[Ticks]:
    yield Ticks(definitions, instance)


def plan(definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    """Run the planning job as the daemon does: its chunks wait for runs of their own."""
    job = definitions.resolve_job_def("incremental_refresh")
    config = {"ops": {"cms_manifest": {"config": {"refresh": "incremental"}}}}
    assert job.execute_in_process(instance=instance, run_config=config).success
