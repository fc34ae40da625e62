"""A preset as a user configures it, and its expressions over what a CMS really answered."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urljoin

import jmespath

from library_pipeline.settings.sources import FileSettings, Preset, SourceSettings
from library_pipeline.sources.contentful import with_links

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


def configured(preset: str, url: str, **more: Any) -> SourceSettings:
    """Return a source's settings as they are with `preset`, `url` and nothing else."""
    return SourceSettings.model_validate({"name": "source", "preset": preset, "url": url, **more})


def recorded(preset: str) -> dict[str, Any]:
    """Return `request`, `status`, `headers` and `body` of an answer, new each time."""
    return json.loads((_ANSWERS / f"{preset}.json").read_text())


def listed(source: SourceSettings, body: Any) -> list[dict[str, Any]]:
    """Return what a page's items are mapped to, less those that `where` leaves out."""
    if source.preset == "contentful":
        body = with_links(body)
    where, items = source.mapping.where, found(source.mapping.items, body)
    return [mapped(source, each) for each in items if where is None or truthy(found(where, each))]


def first_item(preset: str) -> dict[str, Any]:
    """Return the first item of the recorded answer, as its expressions see it."""
    body = recorded(preset)["body"]
    source = configured(preset, URLS[preset])
    items = found(source.mapping.items, with_links(body) if preset == "contentful" else body)
    return next(each for each in items if each.get("type") != "docs")


def mapped(source: SourceSettings, item: dict[str, Any]) -> dict[str, Any]:
    """Return what the mapping's expressions find in one item, and its screenshot's whole URL."""
    mapping = source.mapping
    names = ("id", "name", "client", "category", "tags", "updated_at")
    screenshot = mapping.files.screenshot
    assert screenshot is not None and source.url is not None
    return {
        **{name: found(getattr(mapping, name), item) for name in names},
        **{name: found(each, item) for name, each in mapping.attributes.items()},
        "revision": revision(source, item),
        "screenshot": urljoin(source.url, _address(screenshot, item) or ""),
    }


def revision(source: SourceSettings, item: Any) -> str:
    """Return a hash of what the revision's expressions find, whatever it is."""
    expressions = source.mapping.revision
    assert expressions is not None
    each = (expressions,) if isinstance(expressions, str) else expressions
    values = json.dumps([found(one, item) for one in each], sort_keys=True)
    return hashlib.sha256(values.encode()).hexdigest()


def found(expression: str | None, data: Any) -> Any:
    """Return what an expression finds, None where there is none."""
    return None if expression is None else jmespath.search(expression, data)


def truthy(value: Any) -> bool:
    """Tell whether JMESPath calls a value true: numbers are, even 0."""
    return value not in (None, False, "", [], {}) or (value == 0 and value is not False)


def _address(file: FileSettings, item: Any) -> str | None:
    if file.template is None:
        return found(file.url, item)
    return re.sub(r"\{([^}]*)\}", lambda each: str(found(each[1], item)), file.template)
