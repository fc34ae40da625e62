"""Any CMS's listing through a mapping: every style of paging, and what real ones do to readers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from library_pipeline.catalog.errors import ManifestError
from library_pipeline.settings.source_keys import SourceSettings
from library_pipeline.sources.http.connection import CmsConnection
from library_pipeline.sources.listing import MappedListing
from library_pipeline.sources.source import ListingShifted, NotModified
from library_pipeline_tests.support.web_server import answer, web_server

MAPPING = {
    "items": "data",
    "id": "key",
    "name": "title",
    "files": {"screenshot": {"url": "image"}},
}


class Cms:
    """A CMS of numbered items that answers in every style; `before` is called ahead of a page."""

    def __init__(self, count: int) -> None:
        self.items = [
            {"key": number, "title": f"Item {number}", "image": f"/{number}.png"}
            for number in range(count)
        ]
        self.most = 100
        self.asked: list[dict[str, str]] = []
        self.before: Callable[[int], None] = lambda page: None
        self.totals = True

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        query = dict(parse_qsl(urlsplit(handler.path).query))
        self.before(len(self.asked))
        self.asked.append(query)
        size = min(int(query.get("size", "1000")), self.most)
        start = int(query.get("offset") or query.get("cursor") or 0)
        if "page" in query:
            start = (int(query["page"]) - 1) * size
        page: dict[str, Any] = {"data": self.items[start : start + size]}
        if self.totals:
            page["total"] = len(self.items)
        headers = {"X_Total": str(len(self.items))}
        if start + size < len(self.items):
            page["cursor"] = start + size
            page["link"] = f"/items?cursor={start + size}&size={size}"
            headers["Link"] = f'<{page["link"]}>; rel="next", </items>; rel="first"'
        answer(handler, json.dumps(page).encode(), **headers)


@pytest.fixture
def cms() -> Iterator[tuple[Cms, str]]:
    cms = Cms(10)
    with web_server(cms.handle) as url:
        yield cms, url


def reader(url: str, **keys: Any) -> MappedListing:
    given = {"name": "shop", "url": f"{url}/items", "mapping": MAPPING, "prefix": "", **keys}
    connection = CmsConnection(base_url=url, key="sources.shop", max_attempts=1)
    return MappedListing(SourceSettings.model_validate(given), connection)


def ids(url: str, **keys: Any) -> list[str]:
    with reader(url, **keys) as listing:
        return [found.component_id for page in listing.pages() for found in page.components]


ALL = [str(number) for number in range(10)]
OFFSET = {"style": "offset", "param": "offset", "size_param": "size", "total": "total"}
PAGE = {"style": "page", "param": "page", "size_param": "size", "first": 1, "total": "total"}


@pytest.mark.parametrize(
    "paging",
    [
        OFFSET,
        {**OFFSET, "total": None},
        PAGE,
        {**PAGE, "total": "header:X-Total"},
        {**PAGE, "total": None},
        {"style": "cursor", "param": "cursor", "next": "cursor", "size_param": "size"},
        {"style": "next_url", "next": "link", "size_param": "size"},
        {"style": "link", "size_param": "size"},
    ],
)
@pytest.mark.parametrize("size", [1, 3, 5, 10, 50])
def test_every_style_of_paging_lists_each_item_once(
    cms: tuple[Cms, str], paging: dict[str, Any], size: int
) -> None:
    assert ids(cms[1], paging=paging, page_size=size) == ALL


@pytest.mark.parametrize(
    "paging",
    [
        OFFSET,
        PAGE,
        {"style": "cursor", "param": "cursor", "next": "cursor", "size_param": "size"},
        {"style": "next_url", "next": "link", "size_param": "size"},
        {"style": "link", "size_param": "size"},
    ],
)
@pytest.mark.parametrize(("size", "goes_on"), [(3, True), (50, False)])
def test_a_first_page_says_whether_it_is_the_last(
    cms: tuple[Cms, str], paging: dict[str, Any], size: int, goes_on: bool
) -> None:
    with reader(cms[1], paging=paging, page_size=size) as listing:
        first = listing.first_page()
    assert first.goes_on == goes_on
    assert len(first.entries) == min(size, 10)
    assert len(cms[0].asked) == 1


def test_without_paging_there_is_one_page(cms: tuple[Cms, str]) -> None:
    assert ids(cms[1]) == ALL
    assert len(cms[0].asked) == 1


@pytest.mark.parametrize("paging", [OFFSET, PAGE])
def test_a_page_size_that_is_silently_cut_loses_nothing(
    cms: tuple[Cms, str], paging: dict[str, Any]
) -> None:
    """Strapi gives 100 whatever is asked for."""
    cms[0].most = 4
    assert ids(cms[1], paging=paging, page_size=9) == ALL


@pytest.mark.parametrize("totals", [True, False])
@pytest.mark.parametrize("change", ["removed", "added", "both"])
def test_a_listing_that_shifts_while_it_is_read_is_noticed(
    cms: tuple[Cms, str], change: str, totals: bool
) -> None:
    """An item that moved to a page that was read already would be taken for removed."""

    def shift(page: int) -> None:
        if page == 1:
            if change in ("removed", "both"):
                del cms[0].items[0]
            if change in ("added", "both"):
                cms[0].items.insert(4 if change == "both" else 0, {"key": "new", "image": "/n.png"})

    cms[0].before, cms[0].totals = shift, totals
    paging = OFFSET if totals else {**OFFSET, "total": None}
    with pytest.raises(ListingShifted) as caught:
        ids(cms[1], paging=paging, page_size=3)
    assert caught.value.transient


def test_pages_that_are_counted_shift_noticeably_where_there_is_a_total(
    cms: tuple[Cms, str],
) -> None:
    cms[0].before = lambda page: cms[0].items.__delitem__(0) if page == 1 else None
    with pytest.raises(ListingShifted):
        ids(cms[1], paging=PAGE, page_size=3)


def test_a_poll_tells_a_changed_listing_from_an_unchanged_one(cms: tuple[Cms, str]) -> None:
    with reader(cms[1], paging=OFFSET, page_size=4) as listing:
        list(listing.pages())
        etag = listing.etag
        assert not listing.changed(etag)
        cms[0].items.reverse()
        assert not listing.changed(etag)  # no order is promised
        cms[0].items[3]["title"] = "Another"
        assert listing.changed(etag)


def test_a_server_that_says_so_spares_the_listing() -> None:
    asked: list[str | None] = []

    def handle(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.headers["If-None-Match"])
        body = json.dumps({"data": [{"key": 1, "image": "/1.png"}]}).encode()
        same = asked[-1] == '"7"'
        answer(handler, b"" if same else body, 304 if same else 200, ETag='"7"')

    with web_server(handle) as url, reader(url) as listing:
        assert len(list(listing.pages())) == 1
        assert not listing.changed(listing.etag)
        with pytest.raises(NotModified):
            list(listing.pages(listing.etag))
    assert asked == [None, '"7"', '"7"']


def test_a_single_page_without_an_etag_is_compared(cms: tuple[Cms, str]) -> None:
    with reader(cms[1]) as listing:
        list(listing.pages())
        etag = listing.etag
        assert not listing.changed(etag)
        cms[0].items[3]["title"] = "Another"
        assert listing.changed(etag)


def test_no_page_after_the_last_is_asked_for_though_items_are_left_out(
    cms: tuple[Cms, str],
) -> None:
    """WordPress answers 400 to that."""
    mapping = {**MAPPING, "where": "key > `4`"}
    assert ids(cms[1], paging=PAGE, page_size=5, mapping=mapping) == ALL[5:]
    assert [query["page"] for query in cms[0].asked] == ["1", "2"]


def test_numbers_that_json_does_not_have_spoil_nothing(cms: tuple[Cms, str]) -> None:
    cms[0].items[1]["price"] = float("nan")
    cms[0].items[2]["price"] = 10**400
    mapping = {**MAPPING, "attributes": {"price": "price"}}
    with reader(cms[1], mapping=mapping) as listing:
        (page,) = listing.pages()
    assert page.components[1].attributes == {"price": None}
    assert len(page.components) >= 9


def test_an_item_that_does_not_fit_is_named_and_its_neighbours_are_listed(
    cms: tuple[Cms, str],
) -> None:
    cms[0].items[2]["image"] = None
    cms[0].items[3]["image"] = "http://169.254.169.254/latest/meta-data"
    cms[0].items[4]["key"] = None
    cms[0].items[5]["title"] = ["not", "text"]
    with reader(cms[1]) as listing:
        (page,) = listing.pages()
    assert [problem.code for problem in page.problems] == [
        "manifest.missing_file",
        "manifest.foreign_origin",
        "manifest.missing_id",
        "manifest.bad_text",
    ]
    assert [found.component_id for found in page.components] == ["0", "1", "6", "7", "8", "9"]


@pytest.mark.parametrize(
    ("keys", "code", "words"),
    [
        ({"mapping": {**MAPPING, "items": "rows"}}, "unusable", "the page's keys are 'data'"),
        ({"max_items": 5}, "too_many", "raise its max_items"),
        ({"paging": {**OFFSET, "total": "data"}}, "unusable", "not a number"),
        ({"paging": {"style": "cursor", "next": "data"}}, "unusable", "no cursor"),
        ({"paging": {"style": "next_url", "next": "'http://['"}}, "unusable", "no valid URL"),
        ({"paging": {"style": "next_url", "next": "'/items'"}}, "endless", "second time"),
        (
            {"paging": {"style": "next_url", "next": "'http://example.org/items'"}},
            "foreign_origin",
            "sources.shop.allowed_hosts",
        ),
    ],
)
def test_a_listing_that_cannot_be_used_says_what_to_change(
    cms: tuple[Cms, str], keys: dict[str, Any], code: str, words: str
) -> None:
    with pytest.raises(ManifestError, match=words) as caught:
        ids(cms[1], **keys)
    assert caught.value.code == f"manifest.{code}"
