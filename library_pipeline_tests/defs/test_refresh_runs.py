"""Refreshes as Dagster shows them: one materialization for each success, red for each failure."""

from __future__ import annotations

import base64
import shutil
from typing import Any
from unittest.mock import patch

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from library_pipeline.database.connection import Database
from library_pipeline.defs import resources
from library_pipeline.defs.in_process import RefreshError
from library_pipeline.defs.materializations import BUNDLE, EMBEDDING, INDEX
from library_pipeline.refresh.log import read_result, recent_refreshes
from library_pipeline.sample_cms import Faults, SampleCms
from library_pipeline.settings import SettingsError
from library_pipeline_tests.support.dagster_instance import Refresh
from library_pipeline_tests.support.dagster_runs import ASSETS, failed, materialized
from tools.testing.bundles import picture, write_bundle


def metadata(instance: dg.DagsterInstance, asset: dg.AssetKey, key: str) -> dict[str, Any]:
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=asset, asset_partitions=[key]), limit=1
    ).records
    materialization = records[0].asset_materialization
    assert materialization
    return {name: value.value for name, value in materialization.metadata.items()}


def test_a_run_that_finds_no_database_says_why(
    refresh: Refresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(_: object) -> None:
        raise SettingsError("the database cannot be reached")

    monkeypatch.setattr(resources, "open_database", unreachable)
    with pytest.raises(RefreshError, match="the database cannot be reached"):
        refresh()


def test_each_component_gets_one_materialization_of_each_asset(
    refresh: Refresh, instance: dg.DagsterInstance
) -> None:
    assert refresh().counts.new == 6
    for asset in ASSETS:
        assert materialized(instance, asset) == {f"c-{number}": 1 for number in range(6)}
    assert set(instance.get_dynamic_partitions("components")) == {f"c-{n}" for n in range(6)}
    assert {run.job_name for run in instance.get_runs()} == {
        "incremental_refresh",
        "refresh_chunk",
        "close_refresh",
    }
    assert all(run.is_success for run in instance.get_runs())


def test_an_incremental_refresh_materializes_just_what_changed(
    refresh: Refresh, instance: dg.DagsterInstance, cms: SampleCms
) -> None:
    refresh()
    write_bundle(cms.folder, "c-1", screenshot=picture("new"))
    shutil.rmtree(write_bundle(cms.folder, "c-5"))
    refresh()
    assert materialized(instance, INDEX) == {
        "c-0": 1, "c-1": 2, "c-2": 1, "c-3": 1, "c-4": 1, "c-5": 1,
    }  # fmt: skip
    assert not instance.has_dynamic_partition("components", "c-5")


def test_a_failed_component_is_red_until_it_succeeds(
    refresh: Refresh, instance: dg.DagsterInstance, cms: SampleCms
) -> None:
    write_bundle(cms.folder, "c-3", screenshot=b"no picture")
    refresh()
    assert [failed(instance, asset) for asset in ASSETS] == [{"c-3"}] * 3
    assert "c-3" not in materialized(instance, INDEX)
    write_bundle(cms.folder, "c-3")
    refresh()
    assert [failed(instance, asset) for asset in ASSETS] == [set()] * 3


def test_events_are_written_in_batches_of_one_asset(
    refresh: Refresh, instance: dg.DagsterInstance
) -> None:
    """One event at a time costs 38 ms each; this is what fails when Dagster's private API moves."""
    storage = type(instance.event_log_storage)
    batches: list[list[str]] = []
    original = storage.store_event_batch

    def spy(self: Any, events: Any) -> None:
        batches.append([str(event.dagster_event.asset_key) for event in events])
        original(self, events)

    with patch.object(storage, "store_event_batch", spy):
        refresh()
    big = [batch for batch in batches if len(batch) == 6 and len(set(batch)) == 1]
    assert len(big) == 3
    assert all(len(set(batch)) == 1 for batch in big)


def test_what_was_refreshed_is_fresh_and_stays_so_when_others_change(
    refresh: Refresh, instance: dg.DagsterInstance, cms: SampleCms, definitions: dg.Definitions
) -> None:
    refresh()
    write_bundle(cms.folder, "c-1", records=["new"])
    refresh()
    graph = definitions.resolve_asset_graph()
    resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
    for asset in ASSETS:
        for key in ("c-0", "c-1"):
            assert resolver.get_status(asset, key) == StaleStatus.FRESH, (asset, key)


def test_a_materialization_carries_what_a_person_wants_to_see(
    refresh: Refresh, instance: dg.DagsterInstance
) -> None:
    refresh()
    bundle, index = metadata(instance, BUNDLE, "c-1"), metadata(instance, INDEX, "c-1")
    assert bundle["component_id"] == "c-1"
    assert bundle["bytes"] == bundle["downloaded_bytes"] > 0
    assert len(bundle["screenshot_sha256"]) == 64
    assert index["outcome"] == "new"
    head, _, data = index["screenshot"].partition("base64,")
    assert head == "![c-1](data:image/webp;"
    assert base64.b64decode(data.rstrip(")"))[:4] == b"RIFF"
    assert metadata(instance, EMBEDDING, "c-1")["embedded_now"] is True


def test_a_narrowed_refresh_does_its_part(refresh: Refresh, instance: dg.DagsterInstance) -> None:
    assert refresh(client="south").counts.new == 2
    assert refresh(limit=1).counts.new == 1


def test_a_manifest_that_cannot_be_read_stops_the_refresh_with_its_reason(
    refresh: Refresh, cms: SampleCms
) -> None:
    cms.faults = Faults(manifest=frozenset({"not_json"}))
    with pytest.raises(RefreshError, match="/components"):
        refresh()


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"dagster/partition": "c-2"}, {"c-2": 2}),
        (
            {
                "dagster/asset_partition_range_start": "c-1",
                "dagster/asset_partition_range_end": "c-3",
            },
            {"c-1": 2, "c-2": 2, "c-3": 2},
        ),
    ],
)
def test_a_run_from_the_ui_does_the_partitions_it_was_started_for(
    refresh: Refresh,
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    database: Database,
    tags: dict[str, str],
    expected: dict[str, int],
) -> None:
    refresh()
    job = definitions.resolve_job_def("refresh_chunk")
    outcome = job.execute_in_process(instance=instance, tags=tags)
    assert outcome.success
    assert {key: n for key, n in materialized(instance, INDEX).items() if n > 1} == expected
    with database.connect() as connection:
        done = read_result(connection, recent_refreshes(connection)[0].refresh_id)
    assert (done.kind, done.state) == ("selected", "finished")
    assert done.counts.unchanged == len(expected)


def test_a_run_that_names_no_components_says_what_to_do(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    job = definitions.resolve_job_def("refresh_chunk")
    outcome = job.execute_in_process(instance=instance, raise_on_error=False)
    assert not outcome.success
    event = next(event for event in outcome.all_events if event.is_step_failure)
    assert "choose partitions, or start one of the jobs" in str(event.step_failure_data.error)
