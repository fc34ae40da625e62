"""The run that closes a refresh: the vector index is seen to, and checks say how the index is."""

from __future__ import annotations

import shutil

import dagster as dg

from library_pipeline.database.connection import Database
from library_pipeline.sample_cms import SampleCms
from library_pipeline_tests.support.dagster_instance import Refresh

CHECKS = {
    "every_component_has_an_embedding": "component_embedding",
    "vectors_have_norm_1": "component_embedding",
    "recall_at_10": "vector_index",
    "index_is_fresh": "component_index",
    "no_removal_waits_for_approval": "cms_manifest",
}


def passed(instance: dg.DagsterInstance) -> dict[str, bool]:
    """Return the latest outcome of each check, as the UI shows it."""
    keys = [dg.AssetCheckKey(dg.AssetKey(asset), name) for name, asset in CHECKS.items()]
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    return {key.name: record.status.value == "SUCCEEDED" for key, record in records.items()}


def test_a_refresh_that_changed_something_is_checked_and_an_idle_one_is_not(
    refresh: Refresh, instance: dg.DagsterInstance
) -> None:
    refresh()
    assert passed(instance) == dict.fromkeys(CHECKS, True)
    runs = len(instance.get_runs())
    refresh()
    assert len(instance.get_runs()) == runs + 1  # the plan; nothing else had to run


def test_a_check_tells_counts_room_coverage_and_ages(
    refresh: Refresh, instance: dg.DagsterInstance
) -> None:
    refresh()
    key = dg.AssetCheckKey(dg.AssetKey("component_index"), "index_is_fresh")
    (record,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    assert record.event is not None and record.event.dagster_event is not None
    told = record.event.dagster_event.asset_check_evaluation_data.metadata
    assert (told["components"].value, told["open_failures"].value) == (6, 0)
    assert told["database_bytes"].value > 1_000_000
    (encoder,) = told["encoders"].records
    assert encoder.data["covered"] == encoder.data["components"] == 6
    assert 0 <= told["refresh_age_seconds"].value <= told["manifest_age_seconds"].value < 600
    assert {"last_manifest", "last_refresh"} <= told.keys()


def test_checks_fail_loudly_and_by_name(
    refresh: Refresh, instance: dg.DagsterInstance, database: Database, cms: SampleCms
) -> None:
    refresh()
    for folder in list(cms.folder.iterdir())[:3]:
        shutil.rmtree(folder)
    with database.connect() as connection:
        connection.execute("update pipeline.embedding_1 set vector = vector + vector")
    done = refresh("full")
    assert done.held_removals == 3
    assert not done.ok
    assert passed(instance) == {
        "every_component_has_an_embedding": True,
        "vectors_have_norm_1": False,
        "recall_at_10": True,
        "index_is_fresh": True,
        "no_removal_waits_for_approval": False,
    }
