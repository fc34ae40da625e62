"""A large library's partitions: hash buckets that stand for all of their components."""

from __future__ import annotations

import dagster as dg
import pytest

from library_pipeline.catalog.component import bucket_key
from library_pipeline.database.connection import Database
from library_pipeline.defs.materializations import BUNDLE, EMBEDDING, INDEX
from library_pipeline.refresh.log import read_result, recent_refreshes
from library_pipeline.sample_cms import Faults, FileFault, SampleCms
from library_pipeline.sources.http.connection import CmsConnection
from library_pipeline_tests.support.dagster_instance import Refresh
from library_pipeline_tests.support.dagster_runs import failed, materialized, stale
from library_pipeline_tests.support.refreshing import searchable
from tools.testing.bundles import write_bundle

ASSETS = (BUNDLE, EMBEDDING, INDEX)
BUCKETS = 4
IDS = [f"c-{number}" for number in range(6)]


def bucket(component_id: str) -> str:
    return bucket_key(component_id, BUCKETS)


ALL = {bucket(name) for name in IDS}
# Two that share a bucket, and one that has none of theirs.
ONE, OTHER = next(
    (a, b) for a in IDS for b in IDS if a < b and bucket(a) == bucket(b)
)  # fmt: skip
ALONE = next(name for name in IDS if bucket(name) != bucket(ONE))


@pytest.fixture(autouse=True)
def in_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Components share four partitions."""
    monkeypatch.setenv("LIBRARY_REFRESH_PARTITION_BUCKETS", str(BUCKETS))


def versions(instance: dg.DagsterInstance, asset: dg.AssetKey = INDEX) -> dict[str, str]:
    """Return each partition's latest data version."""
    records = instance.fetch_materializations(asset, limit=1000).records
    found: dict[str, str] = {}
    for record in records:  # the newest first
        materialization = record.asset_materialization
        assert materialization
        tags = materialization.tags or {}
        found.setdefault(record.partition_key or "", tags["dagster/data_version"])
    return found


def edit(cms: SampleCms, component_id: str, text: str) -> None:
    write_bundle(cms.folder, component_id, records=[text])


def collect_garbage(definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    job = definitions.resolve_job_def("collect_garbage")
    assert job.execute_in_process(instance=instance).success


def test_a_refresh_materializes_the_buckets_whose_components_it_did(
    refresh: Refresh, instance: dg.DagsterInstance, cms: SampleCms, definitions: dg.Definitions
) -> None:
    refresh()
    assert set(instance.get_dynamic_partitions("components")) == ALL
    assert [materialized(instance, asset) for asset in ASSETS] == [dict.fromkeys(ALL, 1)] * 3
    assert stale(instance, definitions) == set()
    before = {asset: versions(instance, asset) for asset in ASSETS}
    edit(cms, ONE, "newer")
    refresh()
    for asset in ASSETS:
        now = versions(instance, asset)
        assert {key for key in ALL if now[key] != before[asset][key]} == {bucket(ONE)}
        assert materialized(instance, asset) == {key: 1 + (key == bucket(ONE)) for key in ALL}
    before[INDEX] = versions(instance)
    assert refresh("full").counts.unchanged == 6  # a check that finds nothing is no news
    assert versions(instance) == before[INDEX]
    assert stale(instance, definitions) == set()


def test_a_bucket_is_red_while_one_of_its_components_fails_whatever_others_do(
    refresh: Refresh, instance: dg.DagsterInstance, cms: SampleCms
) -> None:
    """Its neighbour's success is stored at once, and told of when the bucket is well again."""
    cms.faults = Faults(files=(FileFault(ONE, "records", status=404),))
    assert refresh().counts.failed == 1
    assert [failed(instance, asset) for asset in ASSETS] == [{bucket(ONE)}] * 3
    assert set(materialized(instance, INDEX)) == ALL - {bucket(ONE)}
    edit(cms, OTHER, "newer")
    edit(cms, ALONE, "newer")
    assert refresh().counts.changed == 2
    assert [failed(instance, asset) for asset in ASSETS] == [{bucket(ONE)}] * 3
    assert materialized(instance, INDEX)[bucket(ALONE)] == 2
    cms.faults = Faults()
    assert refresh("retry").counts.new == 1
    assert [failed(instance, asset) for asset in ASSETS] == [set()] * 3
    assert materialized(instance, INDEX)[bucket(ONE)] == 1


def test_a_bucket_is_red_in_whichever_chunk_its_component_fails(
    monkeypatch: pytest.MonkeyPatch, refresh: Refresh, instance: dg.DagsterInstance, cms: SampleCms
) -> None:
    monkeypatch.setenv("LIBRARY_REFRESH_CHUNK_SIZE", "1")
    cms.faults = Faults(files=(FileFault(ONE, "records", status=404),))
    refresh(only=(ONE, OTHER))
    assert failed(instance, INDEX) == {bucket(ONE)}
    assert materialized(instance, INDEX) == {}
    edit(cms, ONE, "newer")
    edit(cms, OTHER, "newer")
    cms.faults = Faults(files=(FileFault(OTHER, "records", status=404),))
    refresh(only=(ONE, OTHER))
    assert failed(instance, INDEX) == {bucket(ONE)}
    assert materialized(instance, INDEX) == {bucket(ONE): 1}


def run_for(
    definitions: dg.Definitions, instance: dg.DagsterInstance, key: str
) -> dg.ExecuteInProcessResult:
    job = definitions.resolve_job_def("refresh_chunk")
    tags = {"dagster/partition": key}
    return job.execute_in_process(instance=instance, tags=tags, raise_on_error=False)


def test_a_run_for_a_bucket_does_just_its_components_and_is_red_if_one_fails(
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    database: Database,
    cms: SampleCms,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """First and second try are in one run here, and its neighbour has succeeded in between."""
    monkeypatch.setattr(CmsConnection.model_fields["backoff_seconds"], "default", 0.01)
    instance.add_dynamic_partitions("components", sorted(ALL))
    read = definitions.resolve_job_def("incremental_refresh")
    config = {"ops": {"cms_manifest": {"config": {"refresh": "none"}}}}
    assert read.execute_in_process(instance=instance, run_config=config).success
    cms.faults = Faults(files=(FileFault(ONE, "records", status=503, times=10),))
    assert not run_for(definitions, instance, bucket(ONE)).success
    assert [failed(instance, asset) for asset in ASSETS] == [{bucket(ONE)}] * 3
    assert materialized(instance, INDEX) == {}
    of_it = {name for name in IDS if bucket(name) == bucket(ONE)}
    with database.connect() as connection:
        assert set(searchable(connection)) == of_it - {ONE}
        assert run_for(definitions, instance, bucket(ONE)).success
        done = read_result(connection, recent_refreshes(connection)[0].refresh_id)
        assert set(searchable(connection)) == of_it
    assert (done.kind, done.counts.total, done.counts.new) == ("selected", len(of_it), 1)
    assert failed(instance, INDEX) == set()
    assert materialized(instance, INDEX) == {bucket(ONE): 1}


def test_from_components_to_buckets_and_back_leaves_no_partition_behind(
    monkeypatch: pytest.MonkeyPatch,
    refresh: Refresh,
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
) -> None:
    monkeypatch.delenv("LIBRARY_REFRESH_PARTITION_BUCKETS")
    refresh()
    assert set(instance.get_dynamic_partitions("components")) == set(IDS)

    monkeypatch.setenv("LIBRARY_REFRESH_PARTITION_BUCKETS", str(BUCKETS))
    instance.add_dynamic_partitions("components", ["bucket-00001-of-2", "bucket-00004-of-4"])
    refresh("full")
    assert not run_for(definitions, instance, "c-1").success  # says that it can be wiped
    collect_garbage(definitions, instance)
    assert set(instance.get_dynamic_partitions("components")) == ALL
    assert stale(instance, definitions) == set()

    monkeypatch.delenv("LIBRARY_REFRESH_PARTITION_BUCKETS")
    refresh("full")
    collect_garbage(definitions, instance)
    assert set(instance.get_dynamic_partitions("components")) == set(IDS)
    assert stale(instance, definitions) == set()
