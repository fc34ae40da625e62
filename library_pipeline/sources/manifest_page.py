"""One page of any listing: its JSON, and the entries it holds. No I/O, no clock."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn, cast

from library_pipeline.catalog.component import Component
from library_pipeline.catalog.errors import ManifestError
from library_pipeline.sources.entry import Entry, ManifestProblem
from library_pipeline.sources.http.client import HttpAnswer
from library_pipeline.sources.text import redacted, shorten

MAX_CURSOR_LENGTH = 4096
_MAX_DIGITS = 100
_MAX_LINKS = 3  # an entry's link, its target's, and that one's; links may go round in circles


@dataclass(frozen=True, slots=True)
class ManifestPage:
    """One page: its entries in order, and the cursor of the next page, None on the last.

    `total` is the number of components in the whole listing, None if the CMS does not say.
    With `since` the page lists only updates from that time on, with None everything.
    """

    entries: tuple[Entry, ...]
    next: str | None
    total: int | None = None
    since: datetime | None = None

    @property
    def components(self) -> tuple[Component, ...]:
        """The usable entries."""
        return tuple(entry for entry in self.entries if isinstance(entry, Component))

    @property
    def problems(self) -> tuple[ManifestProblem, ...]:
        """The unusable entries."""
        return tuple(entry for entry in self.entries if isinstance(entry, ManifestProblem))


def read_json(answer: HttpAnswer, *, links: bool = False) -> object:
    """Return the JSON of a page, with Contentful's `links` followed; raises ManifestError."""
    try:
        page = parse_json(answer.body)
    except ValueError as error:
        unusable_page(answer, str(error).removeprefix("it "))
    try:
        return with_links(cast("dict[str, object]", page)) if links else page
    except (KeyError, TypeError, AttributeError, RecursionError):
        message = f"{redacted(answer.url)} answered with no page of Contentful's entries"
        raise ManifestError("manifest.unusable", message) from None


def read_object(answer: HttpAnswer) -> dict[str, Any]:
    """Return the JSON object that a page is; raises ManifestError."""
    page = read_json(answer)
    if not isinstance(page, dict):
        unusable_page(answer, "is not a JSON object")
    return cast("dict[str, Any]", page)


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text; raises ValueError that says why there is none.

    NaN and infinities, which Python's scrapers write and JSON does not have, become null. A number
    of very many digits becomes text.
    """
    try:
        return json.loads(text, parse_int=_number, parse_constant=lambda _: None)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON ({error.msg} at character {error.pos + 1})") from None
    except UnicodeDecodeError:
        raise ValueError("it is not JSON (it is not UTF-8)") from None


def with_links(page: Mapping[str, Any]) -> dict[str, Any]:
    """Return a page of Contentful's entries, with the target of each link in the link's place.

    The targets stand beside the entries, in `includes`. A link to an unpublished entry, which the
    page does not have, stays as it is. See
    https://www.contentful.com/developers/docs/concepts/links/.
    """
    includes = cast("Mapping[str, list[Any]]", page.get("includes") or {})
    listed = [*page["items"], *(each for group in includes.values() for each in group)]
    targets = {_link_key(each): each for each in listed}
    return {**page, "items": [_followed(item, targets, _MAX_LINKS) for item in page["items"]]}


def _link_key(of: Mapping[str, Any]) -> tuple[str, str]:
    system = of["sys"]
    return system.get("linkType") or system["type"], system["id"]


def _followed(value: Any, targets: Mapping[tuple[str, str], Any], depth: int) -> Any:
    if isinstance(value, list):
        return [_followed(each, targets, depth) for each in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    found = cast("dict[str, Any]", value)
    system = found.get("sys")
    if isinstance(system, dict) and cast("dict[str, Any]", system).get("type") == "Link":
        target = targets.get(_link_key(found)) if depth else None
        return found if target is None else _followed(target, targets, depth - 1)
    return {
        # `sys` and `metadata` link to spaces, types and tags, which no page includes.
        key: each if key in ("sys", "metadata") else _followed(each, targets, depth)
        for key, each in found.items()
    }


def _number(digits: str) -> int | str:
    # Python refuses very long numbers with an error, which would cost the whole page.
    return int(digits) if len(digits) <= _MAX_DIGITS else digits


def unusable_page(answer: HttpAnswer, what: str) -> NoReturn:
    """Raise the ManifestError of a page that is no page; `what` follows its address."""
    content_type = answer.headers.get("content-type") or "no content type"
    raise ManifestError(
        "manifest.unusable",
        f"the manifest at {redacted(answer.url)} {what}: it answered {answer.status} with "
        f"{shorten(content_type)}, beginning {answer.body[:80]!r}; "
        "docs/cms.md says what a page looks like",
    )
