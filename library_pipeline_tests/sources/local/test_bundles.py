"""A folder of bundles: what makes a component, and what a broken one does to the others."""

from __future__ import annotations

import json
import re
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from library_pipeline.catalog.errors import ManifestError
from library_pipeline.sources.local.bundles import open_bundles
from library_pipeline.sources.local.files import read_local
from library_pipeline.sources.source import NotModified, OpenSource
from library_pipeline_tests.support.local_sources import components, etag, problems, settings
from tools.testing.bundles import picture, write_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "bundles"
    for name in ("hero", "card"):
        write_bundle(folder, name, name=name, client="north")
    return folder


def bundles(folder: Path, **keys: object) -> AbstractContextManager[OpenSource]:
    return open_bundles(settings("bundles", path=folder, **keys))


def test_each_folder_is_a_component_with_its_four_files(folder: Path) -> None:
    hero = components(bundles(folder))["hero"]
    assert (hero.component_id, hero.source, hero.client) == ("shop:hero", "shop", "north")
    assert hero.tags == ("test",)
    assert hero.updated_at
    assert read_local(hero.files["screenshot"].url, folder, 10**6) == picture("hero")
    assert json.loads(read_local(hero.files["config"].url, folder, 100)) == {"width": 320}
    assert all(ref.sha256 for ref in hero.files.values())


def test_an_edit_of_any_file_is_a_new_revision_of_that_component(folder: Path) -> None:
    before = components(bundles(folder))
    write_bundle(folder, "hero", name="hero", client="north", records=["new"])
    after = components(bundles(folder))
    assert after["hero"].revision != before["hero"].revision
    assert after["card"] == before["card"]


def test_nothing_is_read_when_nothing_changed(folder: Path) -> None:
    known = etag(bundles(folder))
    with bundles(folder) as source, pytest.raises(NotModified):
        next(source.pages(known))
    write_bundle(folder, "new")
    assert etag(bundles(folder)) != known


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ('{"id": "hero", "na', "attributes.json: .*Unterminated"),
        ("[]", "a list, not an object"),
        ('{"id": "hero", "tags": 5}', "tags is a list"),
        ('{"id": "hero", "updated_at": "yesterday"}', "attributes.json: .*isoformat"),
        ("[" * 100_000, "attributes.json: .*recursion"),
        (None, "it has no attributes.json"),
    ],
)
def test_a_bundle_that_cannot_be_read_removes_nothing(
    folder: Path, attributes: str | None, message: str
) -> None:
    file = write_bundle(folder, "hero") / "attributes.json"
    file.unlink() if attributes is None else file.write_text(attributes)
    (found,) = problems(bundles(folder))
    assert found.code == "manifest.unusable"
    assert found.component_id is None
    assert re.search(message, found.message)


def test_a_bundle_without_screenshot_is_a_problem_of_its_own(folder: Path) -> None:
    (write_bundle(folder, "hero") / "screenshot.png").unlink()
    (found,) = problems(bundles(folder))
    assert (found.component_id, found.code) == ("shop:hero", "manifest.missing_file")


def test_files_that_lead_out_of_the_folder_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    records = write_bundle(folder, "hero") / "records.json"
    records.unlink()
    records.symlink_to(tmp_path / "secret")
    (found,) = problems(bundles(folder))
    assert found.code == "manifest.foreign_path"


def test_other_folders_are_left_out(folder: Path, tmp_path: Path) -> None:
    write_bundle(tmp_path / "elsewhere", "x").rename(tmp_path / "x")
    (folder / "x").symlink_to(tmp_path / "x")
    write_bundle(folder, "y").rename(folder / ".hidden")
    (folder / "drafts").mkdir()
    (folder / "drafts" / "notes.txt").write_text("notes")
    assert set(components(bundles(folder))) == {"hero", "card"}


def test_more_bundles_than_max_items_and_no_folder_are_errors(folder: Path) -> None:
    with pytest.raises(ManifestError, match="max_items"):
        components(bundles(folder, max_items=1))
    with pytest.raises(ManifestError, match="is it mounted"):
        components(bundles(folder / "gone"))
