"""Which keys of a mapping find nothing in an item."""

from __future__ import annotations

from typing import Any

from library_pipeline.settings.source_keys import MappingSettings
from library_pipeline.sources.http.rules import NoFiles
from library_pipeline.sources.mapping import ItemMapping

KEYS: dict[str, Any] = {
    "id": "uid",
    "revision": ["updated", "version"],
    "name": "title",
    "tags": "tags",
    "attributes": {"price": "price"},
    "files": {
        "config": {"inline": "settings"},
        "screenshot": {"template": "/assets/{image.id}.png", "sha256": "image.sha256"},
    },
}


def nothing(item: object, **keys: Any) -> dict[str, str]:
    settings = MappingSettings.model_validate(KEYS | keys)
    mapping = ItemMapping(settings, source="shop", prefix="shop:", files=NoFiles())
    return mapping.finds_nothing(item)


def test_every_key_is_looked_for() -> None:
    assert nothing({"version": 1}) == {
        "id": "uid",
        "name": "title",
        "tags": "tags",
        "revision": "updated",
        "attributes.price": "price",
        "files.config.inline": "settings",
        "files.screenshot.sha256": "image.sha256",
        "files.screenshot.template": "/assets/{image.id}.png",
    }


def test_zero_and_false_are_something_and_what_is_empty_is_not() -> None:
    item = {"uid": 0, "title": "", "tags": [], "price": False, "settings": {}, "updated": 1}
    found = nothing(item, files={"config": {"inline": "settings"}})
    assert set(found) == {"name", "tags", "revision", "files.config.inline"}


def test_an_expression_that_fails_is_a_problem_of_its_own() -> None:
    assert "name" not in nothing({"title": None}, name="length(title)")


def test_no_item_is_too_strange() -> None:
    for item in (None, 1, "text", [], [{}]):
        assert nothing(item)["id"] == "uid"
