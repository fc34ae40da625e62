"""Addresses of pages and of the API; every Unicode id survives the way there and back."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, urlencode, urlsplit

from library_pipeline.catalog.component import FILE_KINDS
from library_pipeline.web.questions import SearchTerms

_BELOW = ("/similar", *(f"/files/{kind}" for kind in FILE_KINDS))


def component_url(component_id: str) -> str:
    """Return the address of a component's page."""
    if component_id in (".", ".."):  # browsers resolve these, even when they are escaped
        return "/components/?" + urlencode({"id": component_id})
    return "/components/" + quote(component_id, safe="")


def facts_url(component_id: str) -> str:
    """Return the address of a component's facts in the API."""
    return _api_url(component_id, "")


def similar_url(component_id: str) -> str:
    """Return the address of the components most like one, in the API."""
    return _api_url(component_id, "/similar")


def file_url(component_id: str, kind: str) -> str:
    """Return the address of one of a component's texts, in the API."""
    return _api_url(component_id, f"/files/{kind}")


def _api_url(component_id: str, rest: str) -> str:
    """Return an API address below a component; an id that no path can hold becomes a parameter."""
    if component_id in (".", "..") or (not rest and component_id.endswith(_BELOW)):
        return f"/api/components/{rest}?" + urlencode({"id": component_id})
    return f"/api/components/{quote(component_id, safe='')}{rest}"


def like_url(component_id: str, client: str | None = None) -> str:
    """Return the address of the search for components like this one."""
    return search_url(like=component_id, client=client)


def search_url(**parameters: str | int | Sequence[str] | None) -> str:
    """Return the address of the search page with the `parameters` that are not empty."""
    given = {key: value for key, value in parameters.items() if value not in (None, (), [])}
    return "/?" + urlencode(given, doseq=True) if given else "/"


def refresh_url(refresh_id: str) -> str:
    """Return the address of a refresh's page; after /api, that of its JSON."""
    return "/refreshes/" + quote(refresh_id, safe="")


def question_url(question: SearchTerms, **changes: object) -> str:
    """Return the address of `question` with `changes`, on page 1 unless they set `page`."""
    fields = question.model_dump(exclude_defaults=True) | {"page": None} | changes
    given = {key: value for key, value in fields.items() if value not in (None, ())}
    return "/?" + urlencode(given, doseq=True) if given else "/"


def compare_url(*ids: str) -> str:
    """Return the address of the page that shows components side by side."""
    return "/compare?" + urlencode({"id": ids}, doseq=True)


def screenshot_url(sha256: str) -> str:
    """Return the address of a screenshot's bytes."""
    return f"/screenshots/{sha256}"


def thumbnail_url(sha256: str) -> str:
    """Return the address of a screenshot's thumbnail."""
    return f"/thumbnails/{sha256}"


def is_web_address(text: str) -> bool:
    """Whether `text` is an http or https address; only such a text becomes a link."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and not any(each.isspace() for each in text)
    )
