"""Presets find in each CMS's answers what a component is."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from library_pipeline.sources.entry import ManifestProblem, utc_time
from library_pipeline.sources.manifest_page import with_links
from library_pipeline.sources.paging import PageFacts, Paging
from library_pipeline_tests.support.presets import (
    PRESETS,
    URLS,
    configured,
    items_of,
    listed,
    mapping,
    recorded,
)

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
        "updated_at": "2026-11-24T20:44:05.717Z",
        "screenshot": "https://cms.example.com/assets/0e857d49-3e5e-490d-a6a9-c8fd2076ea9b",
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
# Of others: two.
LISTED = {"wordpress": 1, "wordpress-media": 1, "strapi": 1, "contract": 1, "contentful": 1}


@pytest.mark.parametrize("preset", PRESETS)
def test_first_component(preset: str) -> None:
    """A name, a preset and a URL are enough to find id, name, screenshot and the rest."""
    component = listed(preset)[0]
    expected = FIRST[preset]
    assert component.component_id == str(expected["id"])
    assert component.name == expected["name"]
    assert component.client == (expected.get("client") or "")
    assert component.category == (expected.get("category") or "")
    assert component.tags == tuple(expected["tags"] or ())
    assert component.updated_at == utc_time(expected.get("updated_at"))
    assert component.files["screenshot"].url == expected["screenshot"]
    assert component.attributes.items() >= {
        (name, expected[name]) for name in ("page", "alt", "source") if name in expected
    }


@pytest.mark.parametrize("preset", PRESETS)
def test_only_published_components(preset: str) -> None:
    """Drafts, posts without a picture, SVG and documentation pages are no components."""
    components = listed(preset)
    assert len(components) == LISTED.get(preset, 2)
    assert len({each.revision for each in components}) == len(components)


@pytest.mark.parametrize("preset", PRESETS)
def test_paging(preset: str) -> None:
    """The total is where the preset looks for it, and the page size is what the CMS allows."""
    source, answer = configured(preset), recorded(preset)
    assert source.paging is not None
    paging = Paging(source.paging, URLS[preset], source.query, source.page_size)
    headers = httpx.Headers(answer.get("headers", {}))
    items = items_of(preset)
    total = paging.total(PageFacts(URLS[preset], headers, answer["body"], len(items)))
    if preset in ("storybook", "wordpress-media"):
        assert total is None
    else:
        assert total is not None and total >= len(items)
    limits = {"wagtail": 20, "strapi": 100, "wordpress": 100, "wordpress-media": 100}
    assert (source.page_size or 0) <= limits.get(preset, 1000)


def test_users_query_is_added_to_the_presets() -> None:
    """`type` names the page type; the preset's own keys stay, unless they are given, too."""
    source = configured("wagtail", query={"type": "home.ComponentPage", "order": "-id"})
    assert source.query == {"type": "home.ComponentPage", "fields": "*", "order": "-id"}


def test_a_users_way_to_a_file_takes_the_presets_place() -> None:
    files = {"screenshot": {"template": "/shots/{id}.png"}}
    source = configured("wordpress", mapping={"files": files})
    assert source.mapping.files.screenshot is not None
    assert source.mapping.files.screenshot.url is None
    assert source.mapping.files.format is not None


def test_contentful_link_to_a_draft_stays_a_link() -> None:
    """The entry is listed, and that it has no screenshot is for the reader to report."""
    entries = with_links(recorded("contentful")["body"])["items"]
    assert entries[1]["fields"]["screenshot"]["sys"]["type"] == "Link"
    entry = mapping("contentful").entry(entries[1], 0, URLS["contentful"])
    assert isinstance(entry, ManifestProblem)
    assert entry.code == "manifest.missing_file"


def test_contentful_links_in_a_circle_end() -> None:
    """Two entries that link to each other are read a few levels deep."""
    link = {"sys": {"type": "Link", "linkType": "Entry", "id": "a"}}
    entry = {"sys": {"type": "Entry", "id": "a"}, "fields": {"self": [link]}}
    read = with_links({"items": [entry]})["items"][0]
    assert read["fields"]["self"][0]["fields"]["self"][0]["sys"]["id"] == "a"
