"""Reading a whole manifest over HTTP, on good days and bad ones."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from library_pipeline.catalog.errors import ManifestError
from library_pipeline.sample_cms import Faults, FileFault, RequestFault, SampleCms
from library_pipeline.sources.contract import HttpCms
from library_pipeline.sources.http.connection import CmsConnection
from library_pipeline.sources.source import NotModified
from library_pipeline_tests.support.small_cms import TOKEN, connection_to, write_bundle
from library_pipeline_tests.support.web_server import EMPTY_PAGE, answer, web_server


def ids(cms: HttpCms, **arguments: Any) -> list[str]:
    return [found.component_id for page in cms.pages(**arguments) for found in page.components]


def failure(connection: CmsConnection) -> ManifestError:
    with HttpCms(connection) as cms, pytest.raises(ManifestError) as caught:
        list(cms.pages())
    assert TOKEN not in caught.value.message
    return caught.value


def test_the_pages_together_are_the_library(cms: SampleCms) -> None:
    with HttpCms(connection_to(cms, page_size=2)) as http_cms:
        pages = list(http_cms.pages())
    assert [len(page.entries) for page in pages] == [2, 1]
    assert [found.component_id for page in pages for found in page.entries if found] == [
        "banner",
        "card",
        "hero",
    ]
    assert cms.requests["/components"] == 2


def test_positions_count_through_all_pages(cms: SampleCms) -> None:
    cms.faults = Faults(files=(FileFault("hero", do="missing"),))
    with HttpCms(connection_to(cms, page_size=2)) as http_cms:
        problems = [problem for page in http_cms.pages() for problem in page.problems]
    assert [(found.position, found.code) for found in problems] == [(2, "manifest.missing_file")]


def test_an_unchanged_library_costs_one_request_without_a_body(cms: SampleCms) -> None:
    with HttpCms(connection_to(cms)) as http_cms:
        assert ids(http_cms)
        etag = http_cms.etag
        cms.requests.clear()
        poll = http_cms.changed(etag)
        assert (bool(poll), poll.not_modified, poll.etag) == (False, True, etag)
        assert cms.requests == {"/components": 1}
        with pytest.raises(NotModified):
            ids(http_cms, etag=etag)


def test_a_changed_library_is_noticed_and_its_etag_is_the_new_one(
    cms: SampleCms, folder: Path
) -> None:
    with HttpCms(connection_to(cms)) as http_cms:
        ids(http_cms)
        etag = http_cms.etag
        write_bundle(folder, "footer")
        poll = http_cms.changed(etag)
        assert poll
        assert poll.etag not in {None, etag}
        assert "footer" in ids(http_cms, etag=etag)
        assert http_cms.etag == poll.etag


def test_without_an_etag_the_library_always_counts_as_changed(cms: SampleCms) -> None:
    cms.faults = Faults(manifest=frozenset({"no_etag"}))
    with HttpCms(connection_to(cms)) as http_cms:
        assert ids(http_cms)
        assert http_cms.etag is None
        assert http_cms.changed(None)


def test_what_was_updated_since_is_read_alone_and_with_the_etag_of_the_whole(
    cms: SampleCms, folder: Path
) -> None:
    with HttpCms(connection_to(cms, page_size=2)) as http_cms:
        ids(http_cms)
        whole, since = http_cms.etag, datetime.now(UTC)
        with pytest.raises(NotModified):
            ids(http_cms, etag=whole, updated_since=since)
        for component_id in ("new", "newer", "newest"):
            write_bundle(folder, component_id)
        pages = list(http_cms.pages(etag=whole, updated_since=since))
        assert [c.component_id for page in pages for c in page.components] == [
            "new",
            "newer",
            "newest",
        ]
        assert [(page.since, page.total) for page in pages] == [(since, 6), (since, 6)]
        assert http_cms.etag == http_cms.changed(None).etag


def test_the_time_of_the_reading_is_the_clock_of_the_cms_at_its_first_page() -> None:
    dates = ["Fri, 02 Jan 2026 03:04:05 GMT", "Fri, 02 Jan 2026 03:05:00 GMT", "half past nine"]

    def page(handler: BaseHTTPRequestHandler) -> None:
        following = None if "cursor" in handler.path else "2"
        body = json.dumps({"components": [], "next": following}).encode()
        handler.date_time_string = lambda timestamp=None: dates.pop(0)  # pyright: ignore
        answer(handler, body)

    with web_server(page) as url, HttpCms(CmsConnection(base_url=url)) as http_cms:
        assert len(list(http_cms.pages())) == 2
        assert http_cms.read_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        dates.append("")
        list(http_cms.pages())
        assert http_cms.read_at is None


@pytest.mark.parametrize("answer", ["status", "drop", "truncate"])
def test_a_passing_fault_on_any_page_is_tried_again(cms: SampleCms, answer: Any) -> None:
    cms.faults = Faults(requests=(RequestFault(do=answer, nth=(1, 3)),))
    with HttpCms(connection_to(cms, page_size=2)) as http_cms:
        assert ids(http_cms) == ["banner", "card", "hero"]
    assert cms.requests["/components"] == 4


def test_a_fault_that_stays_makes_the_manifest_unusable_for_now(cms: SampleCms) -> None:
    cms.faults = Faults(requests=(RequestFault(do="status", every=1),))
    error = failure(connection_to(cms))
    assert (error.code, error.transient) == ("manifest.server_error", True)
    assert "503" in error.message
    assert cms.requests["/components"] == 3


def test_a_stalling_cms_times_out(cms: SampleCms) -> None:
    cms.faults = Faults(requests=(RequestFault(do="stall", every=1, seconds=1),))
    error = failure(connection_to(cms, timeout_seconds=0.03, max_attempts=2))
    assert error.code == "manifest.timeout"
    assert "cms.timeout_seconds" in error.message


def test_a_dripping_answer_times_out_as_a_whole() -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b" ")
            threading.Event().wait(0.01)

    with web_server(drip) as url:
        connection = CmsConnection(
            base_url=url, answer_timeout_seconds=0.1, timeout_seconds=5, max_attempts=1
        )
        assert failure(connection).code == "manifest.timeout"


def test_a_rate_limit_is_waited_out_beyond_the_number_of_attempts(cms: SampleCms) -> None:
    cms.faults = Faults(requests_per_second=20, retry_after="0")
    connection = connection_to(cms, page_size=1, rate_limit_patience_seconds=5, max_attempts=1)
    with HttpCms(connection) as http_cms:
        for _ in range(9):
            assert len(ids(http_cms)) == 3


def test_a_rate_limit_without_end_names_the_setting(cms: SampleCms) -> None:
    cms.faults = Faults(requests=(RequestFault(do="status", status=429, every=1),))
    error = failure(connection_to(cms, rate_limit_patience_seconds=0.02))
    assert error.code == "manifest.rate_limited"
    assert "cms.requests_per_second" in error.message


def test_a_wrong_token_names_the_variable_but_no_token(cms: SampleCms) -> None:
    error = failure(connection_to(cms, token="wr0ng-token"))
    assert (error.code, error.transient) == ("manifest.status_401", False)
    assert "LIBRARY_CMS_TOKEN" in error.message
    assert "wr0ng-token" not in error.message
    assert cms.requests["/components"] == 1


def test_a_wrong_base_url_is_named(cms: SampleCms) -> None:
    error = failure(connection_to(cms, base_url=f"{cms.url}/wrong"))
    assert f"{cms.url}/wrong/components" in error.message
    assert "cms.base_url" in error.message


def test_a_cms_that_is_down_is_named() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        connection = CmsConnection(base_url=url, max_attempts=2, backoff_seconds=0.001)
        error = failure(connection)
    assert error.message.startswith(f"cannot reach the CMS: is it running at {url}?")
    assert error.transient


def test_a_page_that_is_not_json_shows_what_came(cms: SampleCms) -> None:
    cms.faults = Faults(manifest=frozenset({"not_json"}))
    error = failure(connection_to(cms))
    assert error.code == "manifest.unusable"
    assert "we are busy" in error.message
    assert "text/plain" in error.message


def test_cursors_that_go_round_in_circles_are_noticed(cms: SampleCms) -> None:
    cms.faults = Faults(manifest=frozenset({"looping_cursor"}))
    assert failure(connection_to(cms)).code == "manifest.endless"
    assert cms.requests["/components"] <= 3


def test_a_manifest_of_too_many_pages_is_given_up(cms: SampleCms) -> None:
    error = failure(connection_to(cms, page_size=1, max_pages=2))
    assert "more than 2 pages" in error.message


def test_a_page_beyond_the_limit_names_the_setting(cms: SampleCms) -> None:
    error = failure(connection_to(cms, limits={"manifest_page": 200}))
    assert error.code == "manifest.too_large"
    assert "cms.page_size" in error.message


def test_the_pace_is_kept(cms: SampleCms) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    with HttpCms(connection_to(cms, page_size=1, requests_per_second=0.5), sleep=sleep) as h:
        ids(h)
    assert [round(wait) for wait in waits] == [2, 4]  # the first one has nothing to wait for


def test_neither_token_nor_cursor_appear_in_repr_or_log(
    cms: SampleCms, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    connection = connection_to(cms, page_size=1)
    with HttpCms(connection) as http_cms:
        ids(http_cms)
        shown = f"{connection!r} {connection} {http_cms!r} {connection.model_dump()}"
    assert TOKEN not in shown + caplog.text
    assert "cursor=" not in caplog.text


def test_a_gzipped_page_is_read() -> None:
    packed = gzip.compress(EMPTY_PAGE)
    with (
        web_server(lambda handler: answer(handler, packed, Content_Encoding="gzip")) as url,
        HttpCms(CmsConnection(base_url=url)) as http_cms,
    ):
        assert len(list(http_cms.pages())) == 1


@pytest.mark.parametrize(
    ("body", "encoding", "code"),
    [
        (gzip.compress(b" " * 50_000_000, mtime=0), "gzip", "manifest.too_large"),
        (gzip.compress(EMPTY_PAGE, mtime=0)[:-9], "gzip", "manifest.unusable"),
        (b"not gzip", "gzip", "manifest.unusable"),
        (b"\x0b\x02\x80hi\x03", "br", "manifest.unusable"),
    ],
)
def test_a_packed_page_is_unpacked_no_further_than_the_limit(
    body: bytes, encoding: str, code: str
) -> None:
    with web_server(lambda handler: answer(handler, body, Content_Encoding=encoding)) as url:
        connection = CmsConnection.model_validate(
            {"base_url": url, "limits": {"manifest_page": 1_000_000}}
        )
        assert failure(connection).code == code


def test_an_unasked_for_304_does_not_pass_for_an_unchanged_library() -> None:
    with web_server(lambda handler: answer(handler, b"", 304)) as url:
        assert failure(CmsConnection(base_url=url)).code == "manifest.status_304"


def test_the_token_does_not_follow_a_redirect_to_a_listed_host() -> None:
    given: list[str | None] = []

    def elsewhere(handler: BaseHTTPRequestHandler) -> None:
        given.append(handler.headers["Authorization"])
        answer(handler, EMPTY_PAGE)

    with web_server(elsewhere) as other:
        host = other.removeprefix("http://")

        def redirect(handler: BaseHTTPRequestHandler) -> None:
            given.append(handler.headers["Authorization"])
            answer(handler, b"", 302, Location=f"{other}/components")

        with web_server(redirect) as url:
            settings = {"base_url": url, "token": TOKEN}
            listed = CmsConnection.model_validate(settings | {"allowed_hosts": (host,)})
            with HttpCms(listed) as http_cms:
                assert len(list(http_cms.pages())) == 1
            assert given == [f"Bearer {TOKEN}", None]
            error = failure(CmsConnection.model_validate(settings))
            assert error.code == "manifest.bad_redirect"
            assert "cms.allowed_hosts" in error.message
            assert len(given) == 3  # the foreign host was not asked


def test_redirects_in_circles_are_given_up() -> None:
    with web_server(lambda handler: answer(handler, b"", 302, Location="/components")) as url:
        assert failure(CmsConnection(base_url=url)).code == "manifest.bad_redirect"


@pytest.mark.parametrize("location", ["http://[", "file:///etc/passwd", "http://a:b@cms/"])
def test_a_redirect_that_is_no_allowed_url_is_refused(location: str) -> None:
    with web_server(lambda handler: answer(handler, b"", 302, Location=location)) as url:
        assert failure(CmsConnection(base_url=url)).code == "manifest.bad_redirect"
