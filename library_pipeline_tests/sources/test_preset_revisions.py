"""Presets notice what a CMS's users change, a replaced picture above all, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from library_pipeline_tests.support.presets import items_of, revision

Path = tuple[str | int, ...]
_POST = ("_embedded", "wp:featuredmedia", 0)
_ASSET = ("fields", "screenshot", "sys")
_LATER = "2027-01-01T00:00:00.000Z"

# What changes of an item when another file is put behind its picture, with nothing else.
REPLACED: list[tuple[str, Path, object]] = [
    ("wagtail", ("screenshot_hash",), "0" * 40),
    ("directus", ("screenshot", "modified_on"), _LATER),
    ("directus", ("screenshot", "filesize"), "1"),
    ("strapi", ("screenshot", "updatedAt"), _LATER),
    ("strapi", ("screenshot", "size"), 1.5),
    ("wordpress", (*_POST, "media_details", "filesize"), 1),
    ("wordpress", (*_POST, "source_url"), "https://www.example.com/other.png"),
    ("wordpress-media", ("media_details", "filesize"), 1),
    ("contentful", (*_ASSET, "revision"), 2),
]
EDITED: list[tuple[str, Path, object]] = [
    ("contract", ("revision",), "other"),
    ("wagtail", ("title",), "Other"),
    ("wagtail", ("config",), {"width": 1}),
    ("wagtail", ("tags",), ["test"]),
    ("directus", ("name",), "Other"),
    ("strapi", ("category",), "Other"),
    ("wordpress", ("modified_gmt",), "2027-01-01T00:00:00"),
    ("contentful", ("sys", "revision"), 4),
    ("storybook", ("title",), "Other"),
]
NOTHING: list[tuple[str, Path, object]] = [
    # The same site under another host's name, and tags in another order.
    ("wagtail", ("meta", "detail_url"), "http://internal/api/v2/pages/3/"),
    ("wagtail", ("tags",), ["test", "tag-0"]),
    # Buckets that sign URLs sign them anew for each answer.
    ("wagtail", ("screenshot", "meta", "download_url"), "https://bucket/a.png?signature=2"),
    ("strapi", ("screenshot", "url"), "https://bucket/a.png?signature=2"),
    # Publishing again makes another row of the same document.
    ("strapi", ("id",), 77),
    ("wordpress", ("content", "rendered"), "<p data-nonce=1>A hero.</p>"),
]


@pytest.mark.parametrize(("preset", "path", "value"), REPLACED)
def test_replaced_file_is_another_revision(preset: str, path: Path, value: object) -> None:
    """No CMS touches the item itself when the file behind its picture is replaced."""
    assert revision_with(preset, path, value) != revision_with(preset)


@pytest.mark.parametrize(("preset", "path", "value"), EDITED)
def test_edit_is_another_revision(preset: str, path: Path, value: object) -> None:
    assert revision_with(preset, path, value) != revision_with(preset)


@pytest.mark.parametrize(("preset", "path", "value"), NOTHING)
def test_same_revision_where_nothing_changed(preset: str, path: Path, value: object) -> None:
    assert revision_with(preset, path, value) == revision_with(preset)


def test_wagtail_without_hashes_goes_by_the_images_url() -> None:
    """A site whose pages have no `screenshot_hash` still notices files that get another name."""
    item = first_item("wagtail")
    del item["screenshot_hash"]
    before = revision("wagtail", item)
    item["screenshot"]["meta"]["download_url"] = "/media/original_images/component-0_Fj9OdXO.png"
    assert revision("wagtail", item) != before


def revision_with(preset: str, path: Path = (), value: object = None) -> str:
    """Return the revision of a preset's first item, with another value at `path`."""
    item: Any = first_item(preset)
    if path:
        place = item
        for key in path[:-1]:
            place = place[key]
        assert place[path[-1]] != value
        place[path[-1]] = value
    return revision(preset, item)


def first_item(preset: str) -> Any:
    """Return the first item of the recorded answer that is a component."""
    return next(item for item in items_of(preset) if item.get("type") != "docs")
