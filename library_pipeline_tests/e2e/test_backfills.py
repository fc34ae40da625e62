"""What the UI's "all missing" and "failed" become: backfills, done by a real daemon."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from library_pipeline.sample_cms import Faults, FileFault, SampleCms
from library_pipeline_tests.support.daemon import PATIENCE_SECONDS, daemon
from library_pipeline_tests.support.dagster_instance import Refresh
from library_pipeline_tests.support.dagster_runs import ASSETS, failed, materialized
from tools.testing.bundles import write_bundle

ROOT = Path(__file__).parents[2]


def ask_for(
    instance: dg.DagsterInstance, definitions: dg.Definitions, name: str, keys: set[str]
) -> None:
    """Record a backfill as the UI's `launchPartitionBackfill` does."""
    backfill = PartitionBackfill.from_asset_partitions(
        backfill_id=name,
        asset_graph=definitions.resolve_asset_graph(),
        partition_names=sorted(keys),
        asset_selection=list(ASSETS),
        backfill_timestamp=time.time(),
        tags={},
        dynamic_partitions_store=instance,
        all_partitions=False,
        title=None,
        description=None,
        run_config=None,
    )
    instance.add_backfill(backfill)


def wait_for(
    instance: dg.DagsterInstance, name: str, process: subprocess.Popen[bytes]
) -> BulkActionStatus:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        backfill = instance.get_backfill(name)
        assert backfill
        if backfill.status is not BulkActionStatus.REQUESTED:
            return backfill.status
        time.sleep(0.3)
    raise AssertionError(f"backfill {name} did not end")


@pytest.mark.timeout(300)
def test_backfills_over_what_is_missing_and_what_failed_do_just_that(
    refresh: Refresh,
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    cms: SampleCms,
    tmp_path: Path,
) -> None:
    """A backfill becomes a run for each gapless range; together they do every key once."""
    missing, broken = {"c-1", "c-3"}, {"c-0", "c-5"}
    cms.faults = Faults(files=tuple(FileFault(name, "records") for name in sorted(missing)))
    refresh()
    for name in broken:
        write_bundle(cms.folder, name, records=["newer"])
    cms.faults = Faults(files=tuple(FileFault(name, "records") for name in sorted(broken)))
    refresh()
    before = {asset: materialized(instance, asset) for asset in ASSETS}
    assert set(before[ASSETS[0]]) == {"c-0", "c-2", "c-4", "c-5"}
    assert failed(instance, ASSETS[0]) == missing | broken

    cms.faults = Faults()
    ask_for(instance, definitions, "missing", missing)
    ask_for(instance, definitions, "failed", broken)
    with daemon(tmp_path) as process:
        for name in ("missing", "failed"):
            status = wait_for(instance, name, process)
            assert status is BulkActionStatus.COMPLETED_SUCCESS, (
                tmp_path / "daemon.log"
            ).read_text()

    for asset in ASSETS:
        now = materialized(instance, asset)
        done = {key: now[key] - before[asset].get(key, 0) for key in now}
        assert {key: times for key, times in done.items() if times} == dict.fromkeys(
            missing | broken, 1
        )
        assert failed(instance, asset) == set()
    tags = dg.RunsFilter(tags={"dagster/backfill": ["missing", "failed"]})
    assert len(instance.get_runs(tags)) == 4
