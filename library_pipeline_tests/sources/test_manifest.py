"""One page of a manifest: what is taken, what is a problem, what makes the page unusable."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from library_pipeline.catalog.component import Component
from library_pipeline.catalog.errors import ManifestError
from library_pipeline.sources.contract import parse_page
from library_pipeline.sources.entry import ManifestProblem
from library_pipeline.sources.http.client import HttpAnswer
from library_pipeline.sources.http.rules import AllowedOrigins
from library_pipeline.sources.manifest_page import ManifestPage

ORIGINS = AllowedOrigins("https://cms.example.com/api", ["cdn.example.com"])
URL = "https://cms.example.com/api/components?limit=5&key=secret"
KINDS = ("config", "format", "records", "screenshot")


def entry(**changes: Any) -> dict[str, Any]:
    files = {kind: {"url": f"https://cms.example.com/f/hero.{kind}"} for kind in KINDS}
    return {"id": "hero", "revision": "r1", "name": "Hero", "files": files} | changes


def with_file(kind: str, value: Any) -> dict[str, Any]:
    return entry(files=entry()["files"] | {kind: value})


def page_of(data: bytes, *, first_position: int = 0) -> ManifestPage:
    answer = HttpAnswer(URL, 200, httpx.Headers({"content-type": "text/html"}), data)
    return parse_page(answer, ORIGINS, first_position=first_position)


def parse(*entries: Any, **page: Any) -> ManifestPage:
    body = {"components": list(entries), "next": None} | page
    return page_of(json.dumps(body).encode())


def component(*entries: Any) -> Component:
    (found,) = parse(*entries).entries
    assert isinstance(found, Component), found
    return found


def problem(raw: Any) -> ManifestProblem:
    (found,) = parse(raw).entries
    assert isinstance(found, ManifestProblem), found
    return found


def test_a_full_entry_becomes_a_component() -> None:
    digest = "AB" * 32
    raw = entry(
        client="Acme",
        category="Heroes",
        tags=["a", "b"],
        updated_at="2024-05-01T14:00:00+02:00",
        files=entry()["files"] | {"config": {"url": "https://cdn.example.com/c", "sha256": digest}},
    )
    found = component(raw)
    assert (found.component_id, found.revision, found.name) == ("hero", "r1", "Hero")
    assert (found.client, found.category, found.tags) == ("Acme", "Heroes", ("a", "b"))
    assert found.updated_at == datetime(2024, 5, 1, 12, tzinfo=UTC)
    assert found.files["config"].sha256 == digest.lower()
    assert found.files["screenshot"].sha256 is None
    assert list(found.files) == list(KINDS)


def test_absent_attributes_are_empty_and_the_id_stands_for_an_absent_name() -> None:
    found = component({"id": "hero", "files": entry()["files"]})
    assert (found.name, found.client, found.category) == ("hero", "", "")
    assert (found.tags, found.updated_at) == ((), None)


@pytest.mark.parametrize(
    "component_id", ["ä/../b?c#d", "..", " spaced ", "a,b", "\N{SNOWMAN}\n", '"]', "x" * 500]
)
def test_any_unicode_id_is_kept_as_it_is(component_id: str) -> None:
    assert component(entry(id=component_id)).component_id == component_id


def test_whole_numbers_are_taken_as_ids_and_revisions() -> None:
    found = component(entry(id=17, revision=3))
    assert (found.component_id, found.revision) == ("17", "3")


def test_without_a_revision_it_is_the_hash_of_the_entry_whatever_the_order_of_its_keys() -> None:
    raw = entry()
    del raw["revision"]
    revision = component(raw).revision
    assert len(revision) == 64
    assert component(dict(reversed(raw.items()))).revision == revision
    assert component(raw | {"name": "Other"}).revision != revision


@pytest.mark.parametrize(
    ("raw", "code", "field"),
    [
        ("no object", "not_an_object", ""),
        (entry(id=None), "missing_id", "id"),
        (entry(id="  "), "missing_id", "id"),
        (entry(id=True), "bad_id", "id"),
        (entry(id=1.5), "bad_id", "id"),
        (entry(id=["x"]), "bad_id", "id"),
        (entry(id="x" * 501), "bad_id", "id"),
        (entry(id="a\x00b"), "bad_id", "id"),
        (entry(id="\ud800"), "bad_id", "id"),
        (entry(revision={}), "bad_revision", "revision"),
        (entry(name=5), "bad_text", "name"),
        (entry(client="\x00"), "bad_text", "client"),
        (entry(tags="a,b"), "bad_tags", "tags"),
        (entry(tags=[1]), "bad_tags", "tags"),
        (entry(tags=["x"] * 201), "bad_tags", "tags"),
        (entry(updated_at="yesterday"), "bad_updated_at", "updated_at"),
        (entry(updated_at=5), "bad_updated_at", "updated_at"),
        (entry(updated_at="0001-01-01T00:00:00+14:00"), "bad_updated_at", "updated_at"),
        (entry(files=None), "missing_file", "files"),
        (with_file("format", None), "missing_file", "files.format"),
        (with_file("records", "https://cms.example.com/r"), "missing_file", "files.records"),
        (with_file("config", {"url": ""}), "missing_file", "files.config"),
        (with_file("config", {"url": "/c.json"}), "relative_url", "files.config.url"),
        (with_file("config", {"url": "//cms.example.com/c"}), "relative_url", "files.config.url"),
        (with_file("config", {"url": "file:///etc/passwd"}), "bad_scheme", "files.config.url"),
        (with_file("config", {"url": "http://cms.example.com/"}), "foreign_origin", None),
        (with_file("config", {"url": "https://evil.example/"}), "foreign_origin", None),
        (with_file("config", {"url": "https://cms.example.com:444/"}), "foreign_origin", None),
        (with_file("config", {"url": "https://cms.example.com@evil.example/"}), "bad_url", None),
        (with_file("config", {"url": "https://cms.example.com.evil.example/"}), None, None),
        (with_file("config", {"url": "https://cms.example.com/a b"}), "bad_url", None),
        (with_file("config", {"url": "https://cms.example.com\\@evil.example/"}), "bad_url", None),
        (with_file("config", {"url": "https://cms.example.com/" + "a" * 9000}), "bad_url", None),
        (with_file("config", {"url": "https://cms.example.com/\ud800"}), "bad_url", None),
        (
            with_file("config", {"url": "https://cms.example.com/c", "sha256": "abc"}),
            "bad_sha256",
            "files.config.sha256",
        ),
    ],
)
def test_an_entry_that_cannot_be_used_says_which_field_and_why(
    raw: Any, code: str | None, field: str | None
) -> None:
    found = problem(raw)
    assert found.code == f"manifest.{code or 'foreign_origin'}"
    assert found.field == (field if field is not None else "files.config.url")
    found.message.encode()  # whatever the value was, the message can be stored and logged
    assert len(found.message) < 1000


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_file_is_named_with_its_component(kind: str) -> None:
    files = entry()["files"]
    del files[kind]
    found = problem(entry(files=files))
    assert found.message.startswith(f"component 'hero' (entry 0): files.{kind}=None: every comp")


def test_a_foreign_host_is_named_together_with_the_setting_that_allows_it() -> None:
    found = problem(with_file("config", {"url": "https://evil.example/c?sig=abc"}))
    assert "host 'evil.example'" in found.message
    assert "cms.allowed_hosts" in found.message
    assert "sig=abc" not in found.message


def test_a_bad_entry_leaves_its_neighbours_alone() -> None:
    page = parse(entry(id="a"), entry(id=None), entry(id="b"))
    assert [found.component_id for found in page.components] == ["a", "b"]
    assert [found.position for found in page.problems] == [1]


def test_a_number_too_long_for_python_leaves_its_neighbours_alone() -> None:
    data = json.dumps({"components": [entry(id="a"), entry(id="b", tags=[0])], "next": None})
    page = page_of(data.replace("[0]", f"[{'9' * 5000}]").encode())
    assert [found.component_id for found in page.components] == ["a"]


def test_an_entry_nested_too_deeply_leaves_its_neighbours_alone() -> None:
    """The deepest pages are more than Python parses; they say nothing about any component."""
    for depth in (63, 64, 100, 300, 900, 100_000):
        data = json.dumps({"components": [entry(id="a"), entry(id="b", x=[0])], "next": None})
        nested = f"{'[' * depth}{']' * depth}"
        try:
            first, second = page_of(data.replace("[0]", nested).encode()).entries
        except ManifestError as error:
            assert "nested too deeply" in error.message
            assert depth > 500
        else:
            assert isinstance(first, Component)
            found = second.code if isinstance(second, ManifestProblem) else None
            assert found == (None if depth < 64 else "manifest.too_deep")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "is not JSON"),
        (b"<html>maintenance</html>", "is not JSON"),
        (b'{"components": [', "is not JSON"),
        (b"\xff\xfe\xff", "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b"{}", "has no list 'components'"),
        (b'{"components": {}, "next": null}', "has no list 'components'"),
        (b'{"components": []}', "has no 'next'"),
        (b'{"components": [], "next": 5}', "has the cursor 5"),
        (b'{"components": [], "next": ""}', "has the cursor ''"),
        (b'{"components": [], "next": "\\ud800"}', "which no URL can hold"),
        (b'{"components": [], "next": null, "total": -1}', "has the 'total' -1"),
        (b'{"components": [], "next": null, "total": true}', "has the 'total' True"),
        (b'{"components": [], "next": null, "total": "9"}', "has the 'total' '9'"),
        (b'{"components": [], "next": null, "since": 5}', "has the 'since' 5"),
        (b'{"components": [], "next": null, "since": "now"}', "has the 'since' 'now'"),
        (b"[" * 100_000, "is nested too deeply"),
    ],
)
def test_a_page_that_is_none_makes_the_manifest_unusable(data: bytes, what: str) -> None:
    with pytest.raises(ManifestError) as caught:
        page_of(data)
    message = caught.value.message
    assert what in message
    assert "https://cms.example.com/api/components?..." in message
    assert "200 with 'text/html'" in message
    assert "secret" not in message


def test_a_page_may_say_how_many_there_are_and_since_when_it_lists_updates() -> None:
    page = parse(entry(), total=7, since="2024-05-01T14:00:00+02:00")
    assert (page.total, page.since) == (7, datetime(2024, 5, 1, 12, tzinfo=UTC))
    assert (parse().total, parse().since) == (None, None)
    assert (parse(total=None).total, parse(since=None).since) == (None, None)


def test_a_problem_keeps_the_time_of_its_update() -> None:
    time = "2024-05-01T12:00:00Z"
    assert problem(entry(files=None, updated_at=time)).updated_at == datetime(
        2024, 5, 1, 12, tzinfo=UTC
    )
    assert problem(entry(updated_at="yesterday")).updated_at is None
    assert problem(5).updated_at is None


def test_an_unusable_page_shows_its_first_characters() -> None:
    with pytest.raises(ManifestError, match="beginning b'<html>maintenance</html>'"):
        page_of(b"<html>maintenance</html>")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
URLS = st.sampled_from(
    ["https://cms.example.com/a", "https://cdn.example.com/b", "/c", "http://[", "http://a:b/"]
) | st.text(st.characters())
FILES = st.fixed_dictionaries(
    {}, optional={kind: st.fixed_dictionaries({"url": URLS}) | JSON for kind in KINDS}
)
ENTRIES = JSON | st.fixed_dictionaries(
    {"id": JSON | st.text(), "files": FILES | JSON},
    optional=dict.fromkeys(("revision", "name", "tags", "updated_at"), JSON),
)


@given(entries=st.lists(ENTRIES, max_size=5), cursor=st.none() | st.text(min_size=1, max_size=5))
def test_every_entry_is_a_component_or_a_problem(entries: list[Any], cursor: str | None) -> None:
    body = {"components": entries, "next": cursor}
    try:
        page = page_of(json.dumps(body).encode())
    except ManifestError:
        assert cursor is not None
        return
    assert len(page.entries) == len(entries)
    assert all(isinstance(found, Component | ManifestProblem) for found in page.entries)
    for found in page.problems:
        found.message.encode()
        assert "\x00" not in found.message
    ids = [found.component_id for found in page.components]
    assert len(ids) == len(set(ids))


PAGES = st.fixed_dictionaries(
    {"components": JSON | st.just([]), "next": JSON | st.none()},
    optional={"total": JSON, "since": JSON},
)


@given(
    data=st.binary()
    | st.text().map(str.encode)
    | (JSON | PAGES).map(lambda value: json.dumps(value).encode())
)
def test_nothing_but_a_manifest_error_is_ever_raised(data: bytes) -> None:
    try:
        page = page_of(data)
    except ManifestError as error:
        error.message.encode()
    else:
        assert isinstance(page, ManifestPage)
