"""Settings of a connection that cannot work are refused when they are set, without secrets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from pydantic import ValidationError

from library_pipeline.sources.http.connection import Auth, CmsConnection
from library_pipeline.sources.http.retry import RequestPace, retry_after_seconds, status_failure

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_base_url_loses_its_last_slash() -> None:
    assert CmsConnection(base_url=" https://cms.example.com/api/ ").base_url.endswith("/api")


@pytest.mark.parametrize(
    "url", ["", "cms.example.com", "ftp://x", "https://u:hunter2@x", "https://x?a", "https://x#a"]
)
def test_a_base_url_that_cannot_work_is_refused(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        CmsConnection(base_url=url)
    assert "base_url" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "host", ["", "https://cdn", "cdn/path", "*", "*.example.com", "a@b", "a b"]
)
def test_an_allowed_host_is_a_name_and_no_pattern_or_url(host: str) -> None:
    with pytest.raises(ValidationError, match="allowed_hosts"):
        CmsConnection(base_url="https://x", allowed_hosts=(host,))


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "t\u00f6ken"])
def test_a_token_that_no_header_can_hold_is_refused_unseen(token: str) -> None:
    with pytest.raises(ValidationError, match="LIBRARY_CMS_TOKEN") as caught:
        CmsConnection.model_validate({"base_url": "https://x", "token": token})
    assert token not in str(caught.value)


def test_an_empty_token_is_none_and_a_final_line_break_is_dropped() -> None:
    for given, headers in (("", {}), ("abc\n", {"Authorization": "Bearer abc"})):
        connection = CmsConnection.model_validate({"base_url": "https://x", "token": given})
        found = connection.headers_for("https://x/y")
        assert {key: found[key] for key in found if key == "Authorization"} == headers


@pytest.mark.parametrize(
    ("auth", "why"),
    [
        ({}, "auth is empty"),
        ({"secret": " \n"}, "auth is empty"),
        ({"secret": "hunter2\r\nX: y"}, "line break"),
        ({"secret": "hunter2 x"}, "bearer token"),
        ({"kind": "basic", "secret": "hunter2"}, "needs a user"),
        ({"kind": "basic", "user": "a:b", "secret": "hunter2"}, "without colons"),
        ({"kind": "header", "secret": "hunter2"}, "like X-Api-Key"),
        ({"kind": "header", "name": "a b", "secret": "hunter2"}, "like X-Api-Key"),
        ({"kind": "header", "name": "Host", "secret": "hunter2"}, "into the header Host"),
        ({"kind": "query", "secret": "hunter2"}, "like api_key"),
    ],
)
def test_credentials_that_cannot_be_sent_are_refused_unseen(auth: dict[str, str], why: str) -> None:
    with pytest.raises(ValidationError, match=why) as caught:
        CmsConnection.model_validate({"base_url": "https://x", "auth": {"secret": ""} | auth})
    assert "hunter2" not in str(caught.value)


def test_a_token_and_other_credentials_exclude_each_other() -> None:
    auth = {"kind": "query", "name": "key", "secret": "hunter2"}
    with pytest.raises(ValidationError, match="not both") as caught:
        CmsConnection.model_validate({"base_url": "https://x", "token": "abc", "auth": auth})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://x", "https://x?k=a%20b"),
        ("https://x/f?", "https://x/f?k=a%20b"),
        ("https://x/f?a=1#part", "https://x/f?a=1&k=a%20b"),
        ("https://x/f?k=own", "https://x/f?k=own"),
        ("https://cdn/f", "https://cdn/f"),
        ("http://x/f", "http://x/f"),
        ("https://x:444/f", "https://x:444/f"),
        ("https://x.evil.example/f", "https://x.evil.example/f"),
    ],
)
def test_a_key_of_the_query_is_asked_with_on_the_own_origin(url: str, asked: str) -> None:
    auth = Auth.model_validate({"kind": "query", "name": "k", "secret": "a b"})
    connection = CmsConnection(base_url="https://x", auth=auth, allowed_hosts=("cdn",))
    assert connection.url_for(url) == asked
    assert "Authorization" not in connection.headers_for(url)
    assert connection.url_for(asked) == asked


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("3", 3.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("nan", 0.0),
        ("1e400", 1e9),
        ("soon", None),
        (format_datetime(NOW + timedelta(seconds=90)), 90.0),
        (format_datetime(NOW - timedelta(seconds=90)), 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, NOW) == seconds


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_these_statuses_may_heal(status: int) -> None:
    assert status_failure(status, {}).transient


@pytest.mark.parametrize("status", [200, 304, 400, 401, 404, 410, 418])
def test_these_do_not(status: int) -> None:
    assert not status_failure(status, {}).transient


def test_a_pace_spaces_requests_evenly() -> None:
    pace = RequestPace(10, now=lambda: 100.0)
    assert [round(pace.wait_seconds(), 3) for _ in range(4)] == [0.0, 0.1, 0.2, 0.3]


def test_a_429_makes_everybody_wait_and_the_gap_double_once() -> None:
    clock = [0.0]
    pace = RequestPace(10, now=lambda: clock[0])
    for slowed in range(5):  # five requests under way are all turned away
        pace.slow_down(2.0, turn_taken_at=-1.0 if slowed else 0.0)
    assert pace.paused()
    assert [round(pace.wait_seconds(), 3) for _ in range(3)] == [2.0, 2.2, 2.4]
    for _ in range(200):
        pace.went_well()
    clock[0] = 10.0
    assert not pace.paused()
    assert [round(pace.wait_seconds(), 3) for _ in range(2)] == [0.0, 0.1]


def test_without_a_rate_a_429_brings_one_and_success_takes_it_away() -> None:
    clock = [0.0]
    pace = RequestPace(None, now=lambda: clock[0])
    assert [pace.wait_seconds() for _ in range(2)] == [0.0, 0.0]
    pace.slow_down(0.0, turn_taken_at=0.0)
    assert pace.wait_seconds() < pace.wait_seconds()
    for _ in range(200):
        pace.went_well()
    clock[0] = 10.0
    assert [pace.wait_seconds() for _ in range(2)] == [0.0, 0.0]
