"""Presets find in each CMS's answers what a component is, and notice what its users change."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from library_pipeline.sources.contentful import with_links
from library_pipeline_tests.sources.presets import (
    PRESETS,
    configured,
    found,
    listed,
    recorded,
    revision,
)

URLS = {
    "contract": "https://cms.example.com/components",
    "wagtail": "https://cms.example.com/api/v2/pages/",
    "directus": "https://cms.example.com/items/components",
    "strapi": "https://strapi.example.com/api/components",
    "wordpress": "https://www.example.com/wp-json/wp/v2/posts",
    "wordpress-media": "https://www.example.com/wp-json/wp/v2/media",
    "contentful": "https://cdn.contentful.com/spaces/cfexampleapi/environments/master/entries",
    "storybook": "https://storybook.example.com/index.json",
}
FIRST: dict[str, dict[str, Any]] = {
    "contract": {
        "id": "hero-42",
        "name": "Hero with picture",
        "client": "Acme",
        "category": "Heroes",
        "tags": ["spring", "wide"],
        "updated_at": "2026-01-31T12:00:00Z",
        "screenshot": "https://cdn.example.com/hero-42.png",
    },
    "wagtail": {
        "id": 3,
        "name": "Component 0",
        "client": "south",
        "category": "card",
        "tags": ["tag-0", "test"],
        "updated_at": "2026-11-24T20:29:31.062071Z",
        "screenshot": "https://cms.example.com/media/original_images/component-0.png",
    },
    "directus": {
        "id": 1,
        "name": "Component 0",
        "client": "south",
        "category": "card",
        "tags": ["test", "tag-0"],
    },
    "strapi": {
        "id": "hgv1vny5cebq2l3czil1rpb3",
        "name": "Hero with picture",
        "client": "Acme",
        "category": "Heroes",
        "tags": ["wide", "spring"],
        "updated_at": "2026-03-04T11:30:00.512Z",
        "screenshot": "https://strapi.example.com/uploads/hero_8_1d5f0b3a1c.png",
    },
    "wordpress": {
        "id": 41,
        "name": "Hero &amp; picture",
        "client": None,
        "category": "Heroes",
        "tags": ["wide", "spring"],
        "updated_at": "2026-03-04T11:30:00",
        "page": "https://www.example.com/2026/03/02/hero-41/",
        "screenshot": "https://www.example.com/wp-content/uploads/2026/03/hero-31.png",
    },
    "wordpress-media": {
        "id": 31,
        "name": "hero-31",
        "tags": None,
        "alt": "A hero",
        "updated_at": "2026-03-02T09:14:11",
        "screenshot": "https://www.example.com/wp-content/uploads/2026/03/hero-31.png",
    },
    "contentful": {
        "id": "1dTqFzG9lYkmeYm0cIiYWA",
        "name": "Hero with picture",
        "client": "Acme",
        "category": "Heroes",
        "tags": ["spring"],
        "updated_at": "2026-03-04T11:30:00.512Z",
        "screenshot": "https://images.ctfassets.net/cfexampleapi/4jhXk9CtqoYuI2wE6aYmGe/"
        "0a1b2c3d4e5f60718293a4b5c6d7e8f9/hero.png",
    },
    "storybook": {
        "id": "heroes-wide--primary",
        "name": "Heroes/Wide / Primary",
        "category": "Heroes/Wide",
        "tags": ["dev", "test", "autodocs"],
        "source": "./src/heroes/Wide.stories.tsx",
        "screenshot": "https://storybook.example.com/screenshots/heroes-wide--primary.png",
    },
}
LISTED = {"wordpress": 1, "wordpress-media": 1, "strapi": 1, "contract": 1}  # of others: two
Change = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize("preset", PRESETS)
def test_first_component(preset: str) -> None:
    """A name, a preset and a URL are enough to find id, name, screenshot and the rest."""
    component = listed(configured(preset, URLS[preset]), recorded(preset)["body"])[0]
    assert component.items() >= FIRST[preset].items()


@pytest.mark.parametrize("preset", PRESETS)
def test_only_published_components(preset: str) -> None:
    """Drafts, posts without a picture, SVG and documentation pages are no components."""
    components = listed(configured(preset, URLS[preset]), recorded(preset)["body"])
    assert len(components) == LISTED.get(preset, 2)
    assert len({each["revision"] for each in components}) == len(components)


@pytest.mark.parametrize("preset", PRESETS)
def test_paging(preset: str) -> None:
    """The total is where the preset looks for it, and the page size is what the CMS allows."""
    source, answer = configured(preset, URLS[preset]), recorded(preset)
    assert source.paging is not None
    total = source.paging.total
    if total is None:
        assert preset in ("storybook", "wordpress-media")
    elif total.startswith("header:"):
        assert int(answer["headers"][total.removeprefix("header:")]) == len(answer["body"])
    else:
        count = found(total, answer["body"])
        assert isinstance(count, int) and count >= len(found(source.mapping.items, answer["body"]))
    limits = {"wagtail": 20, "strapi": 100, "wordpress": 100, "wordpress-media": 100}
    assert (source.page_size or 0) <= limits.get(preset, 1000)


def test_users_query_is_added_to_the_presets() -> None:
    """`type` names the page type; the preset's own keys stay, unless they are given, too."""
    source = configured(
        "wagtail", URLS["wagtail"], query={"type": "home.ComponentPage", "order": "-id"}
    )
    assert source.query == {"type": "home.ComponentPage", "fields": "*", "order": "-id"}


def _replaced(preset: str) -> list[Change]:
    """What another file under the same item changes, one at a time."""

    def post(item: dict[str, Any]) -> dict[str, Any]:
        return item["_embedded"]["wp:featuredmedia"][0]

    def asset(item: dict[str, Any]) -> dict[str, Any]:
        return item["fields"]["screenshot"]["sys"]

    changes: dict[str, list[Change]] = {
        "wagtail": [lambda item: item.update(screenshot_hash="0" * 40)],
        "directus": [
            lambda item: item["screenshot"].update(modified_on="2027-01-01T00:00:00.000Z"),
            lambda item: item["screenshot"].update(filesize="1"),
        ],
        "strapi": [
            lambda item: item["screenshot"].update(updatedAt="2027-01-01T00:00:00.000Z"),
            lambda item: item["screenshot"].update(size=1.5),
        ],
        "wordpress": [
            lambda item: post(item)["media_details"].update(filesize=1),
            lambda item: post(item).update(source_url="https://www.example.com/other.png"),
        ],
        "wordpress-media": [lambda item: item["media_details"].update(filesize=1)],
        "contentful": [lambda item: asset(item).update(revision=2)],
    }
    return changes[preset]


@pytest.mark.parametrize(
    "preset", ["wagtail", "directus", "strapi", "wordpress", "wordpress-media", "contentful"]
)
def test_replaced_file_is_another_revision(preset: str) -> None:
    """No CMS touches the item itself when the file behind its picture is replaced."""
    source, item = configured(preset, URLS[preset]), first_item(preset)
    for change in _replaced(preset):
        other = copy.deepcopy(item)
        change(other)
        assert revision(source, other) != revision(source, item)


@pytest.mark.parametrize(
    ("preset", "change"),
    [
        ("wagtail", lambda item: item.update(title="Other")),
        ("wagtail", lambda item: item.update(config={"width": 1})),
        ("wagtail", lambda item: item["tags"].append("new")),
        ("directus", lambda item: item.update(name="Other")),
        ("strapi", lambda item: item.update(category="Other")),
        ("wordpress", lambda item: item.update(modified_gmt="2027-01-01T00:00:00")),
        ("contentful", lambda item: item["sys"].update(revision=4)),
        ("storybook", lambda item: item.update(title="Other")),
    ],
)
def test_edit_is_another_revision(preset: str, change: Change) -> None:
    source, item = configured(preset, URLS[preset]), first_item(preset)
    other = copy.deepcopy(item)
    change(other)
    assert revision(source, other) != revision(source, item)


@pytest.mark.parametrize(
    ("preset", "change"),
    [
        # The same site on another host, and tags in another order.
        ("wagtail", lambda item: item["meta"].update(detail_url="http://internal/api/v2/pages/3")),
        ("wagtail", lambda item: item["tags"].reverse()),
        ("wagtail", lambda item: item["screenshot"]["meta"].update(download_url="/m/a?sig=1")),
        # Buckets that sign URLs sign them anew for each answer.
        ("strapi", lambda item: item["screenshot"].update(url="https://bucket/a.png?sig=2")),
        # Publishing again makes another row of the same document.
        ("strapi", lambda item: item.update(id=77)),
        ("wordpress", lambda item: item["content"].update(rendered="<p nonce=1>A hero.</p>")),
    ],
)
def test_same_revision_where_nothing_changed(preset: str, change: Change) -> None:
    source, item = configured(preset, URLS[preset]), first_item(preset)
    other = copy.deepcopy(item)
    change(other)
    assert revision(source, other) == revision(source, item)


def test_wagtail_without_hashes_goes_by_the_images_url() -> None:
    """A site whose pages have no `screenshot_hash` still notices files that get another name."""
    source, item = configured("wagtail", URLS["wagtail"]), first_item("wagtail")
    del item["screenshot_hash"]
    other = copy.deepcopy(item)
    other["screenshot"]["meta"]["download_url"] = "/media/original_images/component-0_Fj9OdXO.png"
    assert revision(source, other) != revision(source, item)


def test_contentful_link_to_a_draft_stays_a_link() -> None:
    """The entry is listed, and that it has no screenshot is for the reader to report."""
    entries = with_links(recorded("contentful")["body"])["items"]
    assert entries[1]["fields"]["screenshot"]["sys"]["type"] == "Link"
    assert found("fields.screenshot.fields.file.url", entries[1]) is None


def test_contentful_links_in_a_circle_end() -> None:
    """Two entries that link to each other are read a few levels deep."""
    link = {"sys": {"type": "Link", "linkType": "Entry", "id": "a"}}
    entry = {"sys": {"type": "Entry", "id": "a"}, "fields": {"self": [link]}}
    read = with_links({"items": [entry]})["items"][0]
    assert read["fields"]["self"][0]["fields"]["self"][0]["sys"]["id"] == "a"


def first_item(preset: str) -> dict[str, Any]:
    """Return the first item of the recorded answer, as its expressions see it."""
    body = recorded(preset)["body"]
    source = configured(preset, URLS[preset])
    items = found(source.mapping.items, with_links(body) if preset == "contentful" else body)
    return next(each for each in items if each.get("type") != "docs")
