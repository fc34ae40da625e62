"""Contentful's links: an answer has what its entries link to beside them, in `includes`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

_DEPTH = 3  # an entry's link, its target's, and that one's; links may go round in circles


def with_links(page: Mapping[str, Any]) -> dict[str, Any]:
    """Return a page of entries with what each link leads to in the link's place.

    A link to what is not published, and so not in the answer, stays as it is. See
    https://www.contentful.com/developers/docs/concepts/links/.
    """
    includes = cast("Mapping[str, list[Any]]", page.get("includes") or {})
    listed = [*page["items"], *(each for group in includes.values() for each in group)]
    targets = {_key(each): each for each in listed}
    return {**page, "items": [_followed(item, targets, _DEPTH) for item in page["items"]]}


def _key(of: Mapping[str, Any]) -> tuple[str, str]:
    system = of["sys"]
    return system.get("linkType") or system["type"], system["id"]


def _followed(value: Any, targets: Mapping[tuple[str, str], Any], depth: int) -> Any:
    if isinstance(value, list):
        return [_followed(each, targets, depth) for each in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    found = cast("dict[str, Any]", value)
    if _is_link(found):
        target = targets.get(_key(found)) if depth else None
        return found if target is None else _followed(target, targets, depth - 1)
    return {
        # `sys` and `metadata` link to spaces, types and tags, which no answer includes.
        key: each if key in ("sys", "metadata") else _followed(each, targets, depth)
        for key, each in found.items()
    }


def _is_link(value: Mapping[str, Any]) -> bool:
    system = value.get("sys")
    return isinstance(system, dict) and cast("dict[str, Any]", system).get("type") == "Link"
