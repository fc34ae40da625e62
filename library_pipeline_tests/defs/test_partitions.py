"""Partitions of components with the oddest ids, from the CMS to Dagster and back again."""

from __future__ import annotations

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from library_pipeline.catalog.component import component_id, partition_key
from library_pipeline.database.connection import Database
from library_pipeline.defs.components import chunk_config
from library_pipeline.defs.materializations import INDEX
from library_pipeline.refresh.log import read_result, recent_refreshes
from library_pipeline.sample_cms import SampleCms
from library_pipeline_tests.support.dagster_instance import Refresh
from library_pipeline_tests.support.dagster_runs import ASSETS, failed, materialized
from library_pipeline_tests.support.refreshing import searchable
from tools.testing.bundles import write_bundle

ODD = (
    "a,b",
    'it\'s "quoted" and `so`',
    "folder/sub\\page",
    "  spaces  ",
    "two\nlines\r\n\tand a tab",
    "🎉👩‍👩‍👧",
    "100%",
    "%41",  # not an A
    "A",
    "...",
    "a...b",
    "[0]",
    '{"json": [1]}',
    ".",
    "..",
    "שלום עולם",
    "\u202ereversed\u202c",
    "e\u0301 is not é",
    "é is not e\u0301",
    "\ufeffbom\u200b\u00a0",
    "null",
    "x" * 500,
    "ü" * 500,
)
PARTITION = "dagster/partition"
START, END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


@pytest.fixture
def odd(cms: SampleCms) -> None:
    """A CMS of these as well."""
    for identifier in ODD:
        write_bundle(cms.folder, identifier, name="odd")


def run(
    definitions: dg.Definitions, instance: dg.DagsterInstance, **tags: str
) -> dg.ExecuteInProcessResult:
    """Start a run as the UI, or the backfill daemon on its behalf, does."""
    job = definitions.resolve_job_def("refresh_chunk")
    named = {name.replace("_of_", "/"): value for name, value in tags.items()}
    return job.execute_in_process(instance=instance, tags=named, raise_on_error=False)


def again(instance: dg.DagsterInstance) -> set[str]:
    """Return the partitions that were materialized more than once."""
    return {key for key, times in materialized(instance, INDEX).items() if times > 1}


def test_any_id_is_a_partition_and_a_run_over_it_does_just_its_component(
    odd: None,
    refresh: Refresh,
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    database: Database,
) -> None:
    ids = {*ODD, *(f"c-{number}" for number in range(6))}
    assert refresh().counts.new == len(ids)
    keys = {partition_key(identifier) for identifier in ids}
    assert len(keys) == len(ids)
    assert {component_id(key) for key in keys} == ids
    assert set(instance.get_dynamic_partitions("components")) == keys
    for asset in ASSETS:
        assert materialized(instance, asset) == dict.fromkeys(keys, 1)
    with database.connect() as connection:
        assert set(searchable(connection)) == ids

    # A single key, as from a partition's own page.
    single = partition_key("  spaces  ")
    assert run(definitions, instance, **{PARTITION: single}).success
    assert again(instance) == {single}

    # A range, in the order in which Dagster knows the keys; a backfill tags one key so, too.
    order = list(instance.get_dynamic_partitions("components"))
    first = order.index(partition_key("..."))
    chosen = order[first : first + 12]
    assert run(definitions, instance, **{START: chosen[0], END: chosen[-1]}).success
    assert again(instance) == {single, *chosen}
    lone = partition_key("ü" * 500)
    assert run(definitions, instance, **{START: lone, END: lone}).success
    assert again(instance) == {single, *chosen, lone}

    with database.connect() as connection:
        done = read_result(connection, recent_refreshes(connection)[0].refresh_id)
    assert (done.kind, done.counts.total, done.counts.unchanged) == ("selected", 1, 1)


def test_odd_components_turn_red_and_leave_as_others_do(
    odd: None, refresh: Refresh, instance: dg.DagsterInstance, cms: SampleCms
) -> None:
    bad, gone = ODD[:6], ODD[6:10]
    for identifier in bad:
        write_bundle(cms.folder, identifier, screenshot=b"no picture")
    refresh()
    assert failed(instance, INDEX) == {partition_key(identifier) for identifier in bad}
    for identifier in gone:
        for file in (folder := write_bundle(cms.folder, identifier)).iterdir():
            file.unlink()
        folder.rmdir()
    assert refresh().counts.removed == len(gone)
    known = set(instance.get_dynamic_partitions("components"))
    assert not known & {partition_key(identifier) for identifier in gone}
    assert len(known) == 6 + len(ODD) - len(gone)


@pytest.mark.parametrize("key", ["c-77", "bucket-00001-of-4", "%zz"])
def test_a_run_over_a_partition_of_no_component_says_so(
    key: str, instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    """As the UI still offers after a switch from buckets, or what somebody has added by hand."""
    instance.add_dynamic_partitions("components", [key])
    outcome = run(definitions, instance, **{PARTITION: key})
    assert not outcome.success
    event = next(event for event in outcome.all_events if event.is_step_failure)
    assert f"does not list {key}; materialize cms_manifest first" in str(event.step_failure_data)


def test_a_run_from_the_ui_during_a_refresh_leaves_it_what_it_is_at(
    instance: dg.DagsterInstance, definitions: dg.Definitions, database: Database, cms: SampleCms
) -> None:
    """The sensors' chunk waits for its run; a backfill over some of the same comes first."""
    plan = definitions.resolve_job_def("incremental_refresh")
    assert plan.execute_in_process(instance=instance).success
    assert run(definitions, instance, **{START: "c-1", END: "c-3"}).success
    assert materialized(instance, INDEX) == {}
    with database.connect() as connection:
        mine, other = recent_refreshes(connection)[:2]
        config = chunk_config(other.refresh_id, 0)
        assert read_result(connection, mine.refresh_id).counts.elsewhere == 3
    chunk = definitions.resolve_job_def("refresh_chunk")
    assert chunk.execute_in_process(instance=instance, run_config=config).success
    assert materialized(instance, INDEX) == {f"c-{number}": 1 for number in range(6)}
    assert cms.requests["/files/c-2.records"] == 1


lines = st.text(st.characters(categories=["Cc", "Zs", "Po", "Ps", "Pe", "Mn", "Lo"]), min_size=1)
dots = st.text(".%2E,[]", min_size=1)


@given(st.lists(lines | dots | st.sampled_from(ODD), unique=True))
def test_ids_and_keys_lead_to_each_other(identifiers: list[str]) -> None:
    """Escapes that look like escaped text, runs of dots, marks that combine with what precedes."""
    keys = [partition_key(identifier) for identifier in identifiers]
    assert [component_id(key) for key in keys] == identifiers
    assert [partition_key(component_id(key)) for key in keys] == keys
    assert not any("..." in key or "," in key or "[" in key for key in keys)
