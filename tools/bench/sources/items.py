"""Listings of any length as three kinds of CMS answer them, each item encoded beforehand."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """How a CMS answers: an item by its number, and what stands around a page's items."""

    item: Callable[[int], Item]
    frame: Callable[[int], tuple[str, str]]
    settings: Mapping[str, Any]
    """What a user would write in library.yaml beside name and URL."""


class Listing:
    """The items of one shape; an answer is cut out of them, so that it costs the server little."""

    def __init__(self, shape: Shape, count: int) -> None:
        self._items = [_encoded(shape.item(number)) for number in range(count)]
        head, tail = shape.frame(count)
        self._head, self._tail = head.encode(), tail.encode()

    def page(self, offset: int, limit: int) -> bytes:
        """Return the body of a page."""
        return self._head + b",".join(self._items[offset : offset + limit]) + self._tail


def _encoded(item: Item) -> bytes:
    return json.dumps(item, separators=(",", ":")).encode()


def _content(number: int) -> Item:
    return {
        "config": {"width": 320, "number": number},
        "format": "<section>{{ title }}</section>",
        "records": [{"title": f"Component {number}"}],
        "tags": [f"tag-{number % 7}", "test"],
    }


def _wagtail(number: int) -> Item:
    """As recorded from Wagtail 8.0 in library_pipeline_tests/real_cms/answers/wagtail.json."""
    site = "https://cms.example.com"
    return {
        "id": number,
        "meta": {
            "type": "home.ComponentPage",
            "detail_url": f"{site}/api/v2/pages/{number}/",
            "html_url": f"{site}/component-{number}/",
            "slug": f"component-{number}",
            "show_in_menus": False,
            "seo_title": "",
            "search_description": "",
            "first_published_at": "2026-11-24T20:29:31.062071Z",
            "alias_of": None,
            "locale": "en",
        },
        "title": f"Component {number}",
        "component_client": "south",
        "component_category": "card",
        **_content(number),
        "screenshot": {
            "id": number,
            "meta": {
                "type": "wagtailimages.Image",
                "detail_url": f"{site}/api/v2/images/{number}/",
                "download_url": f"/media/original_images/component-{number}.png",
            },
            "title": f"Component {number}",
        },
        "screenshot_hash": f"{number:040x}",
        "last_published_at": "2026-11-24T20:29:31.062071Z",
    }


def _directus(number: int) -> Item:
    """As recorded from Directus 11.17, in answers/directus.json beside Wagtail's."""
    file = f"0e857d49-3e5e-490d-a6a9-{number:012x}"
    return {
        "id": number,
        "status": "published",
        "name": f"Component {number}",
        "client": "south",
        "category": "card",
        **_content(number),
        "date_created": "2026-11-24T20:44:05.717Z",
        "date_updated": None,
        "screenshot": {
            "id": file,
            "filename_disk": f"{file}.png",
            "modified_on": "2026-11-24T20:44:05",
            "uploaded_on": "2026-11-24T20:44:05",
            "filesize": 794 + number % 100,
        },
    }


def _own(number: int) -> Item:
    """Return an item of a CMS that somebody has built, with its four files at URLs."""
    return {
        "key": f"component-{number}",
        "version": number % 9,
        "title": f"Component {number}",
        "brand": {"name": "south"},
        "group": "card",
        "labels": [f"tag-{number % 7}", "test"],
        "modified": "2026-11-24T20:44:05.717Z",
        "files": {kind: f"/files/{number}/{kind}" for kind in ("config", "format", "records")},
        "preview": {"src": f"/previews/{number}.png"},
    }


_OWN_MAPPING: Final[Mapping[str, Any]] = {
    "paging": {"style": "offset", "param": "offset", "size_param": "limit", "total": "total"},
    "mapping": {
        "items": "results",
        "id": "key",
        "revision": "version",
        "name": "title",
        "client": "brand.name",
        "category": "group",
        "tags": "labels",
        "updated_at": "modified",
        "files": {
            "config": {"url": "files.config"},
            "format": {"url": "files.format"},
            "records": {"url": "files.records"},
            "screenshot": {"url": "preview.src"},
        },
    },
}
SHAPES: Final[Mapping[str, Shape]] = {
    "wagtail": Shape(
        _wagtail,
        lambda count: (f'{{"meta":{{"total_count":{count}}},"items":[', "]}"),
        {"preset": "wagtail"},
    ),
    "directus": Shape(
        _directus,
        lambda count: (f'{{"meta":{{"filter_count":{count}}},"data":[', "]}"),
        {"preset": "directus"},
    ),
    "own": Shape(_own, lambda count: ('{"results":[', f'],"total":{count}}}'), _OWN_MAPPING),
}
