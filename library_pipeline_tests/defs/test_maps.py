"""What a refresh leaves for people who look: near-duplicates and the map, without waiting long."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys

import dagster as dg
import pytest
from PIL import Image

from library_pipeline.database.connection import Database
from library_pipeline.defs.pictures import atlas_layouts
from library_pipeline.defs.resources import DatabaseResource
from library_pipeline.index.encoders import active_encoders
from library_pipeline.sample_cms import SampleCms
from library_pipeline.search.atlas import MAX_PICTURE_BYTES, read_atlas_state
from library_pipeline.search.layout import UmapMissing
from library_pipeline.search.look_alikes import read_comparison_state
from library_pipeline_tests.support.dagster_instance import Refresh
from tools.testing.bundles import write_bundle


def metadata(instance: dg.DagsterInstance, asset: str) -> list[dict[str, object]]:
    """Return what each materialization of `asset` said, the newest first."""
    records = instance.fetch_materializations(dg.AssetKey(asset), limit=10).records
    found = [record.asset_materialization for record in records]
    return [{key: value.value for key, value in each.metadata.items()} for each in found if each]


def test_a_refresh_compares_and_maps_what_is_new_and_an_idle_one_does_not(
    refresh: Refresh, instance: dg.DagsterInstance, database: Database, cms: SampleCms
) -> None:
    refresh()
    refresh("full")
    write_bundle(cms.folder, "c-7")
    refresh()
    for asset in ("look_alikes", "atlas"):
        told = metadata(instance, asset)
        assert [_of_clip(each)["new_screenshots"] for each in told] == [1, 6], asset
    with database.connect() as connection:
        encoder = active_encoders(connection)[0]
        assert read_comparison_state(connection, encoder).waiting == 0
        state = read_atlas_state(connection, encoder)
    assert (state.method, state.on_it, state.waiting) == ("pca", 7, 0)
    webp = re.search(r"data:image/webp;base64,([^)]+)", _map(metadata(instance, "atlas")[0]))
    assert webp is not None
    data = base64.b64decode(webp[1])
    assert len(data) <= MAX_PICTURE_BYTES
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    assert len(picture.getcolors(picture.width * picture.height) or ()) > 50  # it shows something


def test_the_layout_is_asked_for_once_the_library_is_large_enough(
    refresh: Refresh,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    database: Database,
    cms: SampleCms,
) -> None:
    def tick() -> object:
        with dg.build_sensor_context(
            instance=instance, resources={"database": DatabaseResource()}, definitions=definitions
        ) as context:
            return atlas_layouts(context)

    refresh()
    assert isinstance(tick(), dg.SkipReason)
    for number in range(6, 14):
        write_bundle(cms.folder, f"c-{number}")
    refresh()
    assert isinstance(tick(), dg.RunRequest)


@pytest.mark.timeout(600)
@pytest.mark.xdist_group("umap")  # numba compiles UMAP, once a worker
def test_the_job_lays_the_map_out_by_umap(
    refresh: Refresh,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    database: Database,
    cms: SampleCms,
) -> None:
    for number in range(6, 14):
        write_bundle(cms.folder, f"c-{number}")
    refresh()
    done = definitions.resolve_job_def("layout_atlas").execute_in_process(instance=instance)
    assert done.success
    assert _of_clip(metadata(instance, "atlas")[0])["laid_out_by"] == "umap"
    with database.connect() as connection:
        assert read_atlas_state(connection, active_encoders(connection)[0]).method == "umap"


def test_without_umap_the_job_says_what_to_install_and_the_sensor_does_not_ask(
    refresh: Refresh,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    database: Database,
    cms: SampleCms,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A sensor that asked would start a run that fails, again each hour."""
    monkeypatch.setitem(sys.modules, "umap", None)  # the import fails
    for number in range(6, 14):
        write_bundle(cms.folder, f"c-{number}")
    refresh()
    with database.connect() as connection:
        state = read_atlas_state(connection, active_encoders(connection)[0])
    assert (state.method, state.on_it, state.umap_is_due) == ("pca", 14, True)
    with dg.build_sensor_context(
        instance=instance, resources={"database": DatabaseResource()}, definitions=definitions
    ) as context:
        skipped = atlas_layouts(context)
    assert isinstance(skipped, dg.SkipReason)
    assert skipped.skip_message == UmapMissing().message
    job = definitions.resolve_job_def("layout_atlas")
    done = job.execute_in_process(instance=instance, raise_on_error=False)
    (failure,) = [each for each in done.all_events if each.is_step_failure]
    data = failure.step_failure_data
    assert data.user_failure_data is not None
    assert data.user_failure_data.description == UmapMissing().message


def test_the_command_line_and_the_definitions_do_not_load_umap() -> None:
    code = (
        "import sys, library_pipeline.cli.app, library_pipeline.cli.refresh, "
        "library_pipeline.definitions, library_pipeline.web.service; "
        "print([name for name in ('umap', 'numba') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _of_clip(told: dict[str, object]) -> dict[str, object]:
    found = next(value for key, value in told.items() if re.fullmatch(r"clip \w+", key))
    assert isinstance(found, dict)
    return found


def _map(told: dict[str, object]) -> str:
    return str(next(value for key, value in told.items() if key.endswith(" map")))
