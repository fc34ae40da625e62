"""A preset as a user configures it, over what a CMS really answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

from library_pipeline.catalog.component import Component
from library_pipeline.settings.source_keys import Preset, SourceSettings
from library_pipeline.sources.http.rules import AllowedOrigins
from library_pipeline.sources.manifest_page import with_links
from library_pipeline.sources.mapping import ItemMapping

PRESETS: tuple[str, ...] = get_args(Preset)
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
_ANSWERS = Path(__file__).parents[1] / "real_cms" / "answers"
_HOSTS = {"contract": ("cdn.example.com",), "wagtail": ("bucket", "internal")}


def configured(preset: str, **more: Any) -> SourceSettings:
    """Return a source's settings as they are with `preset`, `url` and nothing else."""
    given = {"name": "source", "preset": preset, "url": URLS[preset], "prefix": "", **more}
    return SourceSettings.model_validate(given)


def recorded(preset: str) -> dict[str, Any]:
    """Return `request`, `status`, `headers` and `body` of an answer, new each time."""
    return json.loads((_ANSWERS / f"{preset}.json").read_text())


def items_of(preset: str) -> list[Any]:
    """Return the items of the recorded answer."""
    body = recorded(preset)["body"]
    return mapping(preset).items_in(with_links(body) if preset == "contentful" else body)


def listed(preset: str) -> list[Component]:
    """Return the components of the recorded answer."""
    entries = (mapping(preset).entry(item, 0, URLS[preset]) for item in items_of(preset))
    return [entry for entry in entries if isinstance(entry, Component)]


def revision(preset: str, item: Any) -> str:
    """Return the revision of one item."""
    entry = mapping(preset).entry(item, 0, URLS[preset])
    assert isinstance(entry, Component), entry
    return entry.revision


def mapping(preset: str) -> ItemMapping:
    """Return a preset's mapping, compiled; files may be on any host that the answers name."""
    source = configured(preset)
    hosts = (*source.allowed_hosts, *_HOSTS.get(preset, ()), "bucket")
    origins = AllowedOrigins(URLS[preset], hosts)
    return ItemMapping(source.mapping, source="source", prefix="", files=origins)
