"""The report of closed refreshes: the right pictures, within bounds, and never in the way."""

from __future__ import annotations

import base64
import io
import re
import shutil
import subprocess
import sys

import dagster as dg
import psycopg
import pytest
from PIL import Image

from library_pipeline.defs import report as module
from library_pipeline.defs.materializations import plain
from library_pipeline.sample_cms import SampleCms
from library_pipeline_tests.support.dagster_instance import Refresh
from tools.testing.bundles import picture, write_bundle

SHEETS = ("added", "changed", "failed")
NO_PICTURE = b"<html>not found</html>"


def latest(instance: dg.DagsterInstance) -> dict[str, dg.MetadataValue]:
    """Return the report as the UI shows it."""
    event = instance.get_latest_materialization_event(dg.AssetKey("refresh_report"))
    assert event is not None and event.asset_materialization is not None
    return dict(event.asset_materialization.metadata)


def text_of(value: dg.MetadataValue) -> str:
    """Return what is written beside the picture."""
    assert isinstance(value, dg.MarkdownMetadataValue) and value.md_str is not None
    return re.sub(r"base64,[^)]*", "", value.md_str).replace("\\", "")


def picture_of(value: dg.MetadataValue) -> Image.Image:
    """Return the picture that the Markdown shows, decoded."""
    assert isinstance(value, dg.MarkdownMetadataValue) and value.md_str is not None
    found = re.match(r"!\[[^]]*\]\(data:image/webp;base64,([A-Za-z0-9+/=]+)\)", value.md_str)
    assert found is not None
    data = base64.b64decode(found[1], validate=True)
    assert len(data) <= module.MAX_BYTES
    with Image.open(io.BytesIO(data), formats=["WEBP"]) as image:
        return image.convert("RGB")


def test_what_came_changed_and_failed_is_shown_with_its_pictures(
    refresh: Refresh,
    instance: dg.DagsterInstance,
    cms: SampleCms,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIBRARY_WEB_URL", "http://search.example")
    refresh()
    first = latest(instance)
    assert first["added_components"].value == 6
    assert "changed" not in first and "failed" not in first
    picture_of(first["growth"])
    picture_of(first["durations"])

    def flat(colour: str) -> bytes:
        buffer = io.BytesIO()
        Image.new("RGB", (320, 240), colour).save(buffer, "PNG")
        return buffer.getvalue()

    write_bundle(cms.folder, "c-1", screenshot=flat("red"))
    refresh()
    write_bundle(cms.folder, "c-1", screenshot=flat("blue"))
    write_bundle(cms.folder, "c-2", screenshot=NO_PICTURE)
    write_bundle(cms.folder, "c-7", name="New <b>one</b> [7]")
    write_bundle(cms.folder, "c-8", name="Never seen", screenshot=NO_PICTURE)
    done = refresh()
    shown = latest(instance)

    counts = [shown[f"{name}_components"].value for name in SHEETS]
    assert counts == [done.new, done.updated, done.failed] == [1, 1, 2]
    assert f"http://search.example/refreshes/{done.refresh_id}" in text_of(shown["refreshes"])
    assert "[New <b>one</b> [7]](http://search.example/components/?id=c-7)" in text_of(
        shown["added"]
    )
    assert "<b>" not in str(shown["added"].value)  # nothing of a name is markup
    assert "[Component c-1](http://search.example/components/?id=c-1)" in text_of(shown["changed"])
    failures = text_of(shown["failed"])
    assert "[Component c-2](http://search.example/components/?id=c-2): decode, image." in failures
    assert "- Never seen: decode, image.not_an_image: " in failures
    for name in SHEETS:
        assert picture_of(shown[name]).width > 150

    changed = picture_of(shown["changed"])
    middle = (changed.height - 40) // 2 + 20
    before, after = changed.getpixel((100, middle)), changed.getpixel((300, middle))
    assert isinstance(before, tuple) and isinstance(after, tuple)
    assert before[0] > 200 > before[2]  # red
    assert after[2] > 200 > after[0]  # blue


def test_a_refresh_that_only_failed_is_shown_too(
    refresh: Refresh, instance: dg.DagsterInstance, cms: SampleCms
) -> None:
    refresh()
    write_bundle(cms.folder, "c-2", screenshot=NO_PICTURE)
    done = refresh()
    assert (done.new, done.updated, done.failed) == (0, 0, 1)
    shown = latest(instance)
    assert done.refresh_id in text_of(shown["refreshes"])
    assert [shown[f"{name}_components"].value for name in SHEETS] == [0, 0, 1]
    assert "- Component c-2: decode, image.not_an_image: " in text_of(shown["failed"])


def test_where_nothing_happened_there_is_no_sheet(
    refresh: Refresh, instance: dg.DagsterInstance
) -> None:
    refresh()
    refresh("full")  # which is closed too, since it may have repaired something
    shown = latest(instance)
    assert [shown[f"{name}_components"].value for name in SHEETS] == [0, 0, 0]
    assert not set(SHEETS) & shown.keys()
    assert {"growth", "durations"} <= shown.keys()


def test_a_picture_that_cannot_be_drawn_fails_neither_its_sheet_nor_the_run(
    refresh: Refresh,
    instance: dg.DagsterInstance,
    connection: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refresh()
    connection.execute("update pipeline.screenshot set thumbnail = 'torn'")
    (refresh_id,) = connection.execute("select id from pipeline.refresh").fetchone() or ("",)
    drawn = module.draw_report(connection, [refresh_id], web_url=None)
    assert drawn.problems == []
    assert picture_of(drawn.metadata["added"]).width > 150

    def broken(sizes: object) -> Image.Image:
        raise MemoryError("no room for a plot")

    monkeypatch.setattr(module, "growth_plot", broken)
    assert refresh("full").ok
    shown = latest(instance)
    assert "growth: MemoryError: no room for a plot" in str(shown["not_drawn"].value)
    assert "growth" not in shown and "durations" in shown


def test_of_thousands_a_few_are_shown_within_bounds(
    refresh: Refresh, instance: dg.DagsterInstance, cms: SampleCms
) -> None:
    for number in range(40):
        write_bundle(cms.folder, f"many-{number:02}", screenshot=picture(f"many-{number}"))
    refresh()
    shown = latest(instance)
    assert shown["added_components"].value == 46
    text = text_of(shown["added"])
    assert text.count("Component ") == module.MAX_TILES
    assert text.endswith("and 22 more")


def test_started_by_hand_it_shows_the_last_refresh_that_did_something(
    refresh: Refresh, instance: dg.DagsterInstance, cms: SampleCms, definitions: dg.Definitions
) -> None:
    refresh()
    shutil.rmtree(next(cms.folder.iterdir()))
    write_bundle(cms.folder, "c-9")
    refresh()
    refresh()  # which finds nothing to do
    by_hand = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance, asset_selection=[dg.AssetKey("refresh_report")]
    )
    assert by_hand.success
    assert latest(instance)["added_components"].value == 1
    assert "Component c-9" in text_of(latest(instance)["added"])


def test_nobody_pays_for_plots_who_draws_none() -> None:
    loaded = "import sys, library_pipeline.definitions; sys.exit('matplotlib' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-W", "ignore", "-c", loaded], check=False).returncode == 0
    )


def test_a_text_stays_what_it_is() -> None:
    assert plain("a [b](javascript:x) <i>\n# c_d*") == (r"a \[b\]\(javascript\:x\) \<i\> \# c\_d\*")
