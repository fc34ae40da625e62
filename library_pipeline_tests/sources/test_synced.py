"""Contentful's sync in place of an ETag: one request for nothing new, and nothing missed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from library_pipeline.catalog.errors import ManifestError
from library_pipeline.settings import Settings
from library_pipeline.settings.source_keys import SourceSettings
from library_pipeline.sources.contentful import SyncedListing
from library_pipeline.sources.http.connection import Auth, CmsConnection
from library_pipeline.sources.listing import MappedListing
from library_pipeline.sources.sample import sampled_source, take_sample
from library_pipeline.sources.source import NotModified
from library_pipeline_tests.support.contentful import KEY, FakeContentful, served

SOON = {"max_attempts": 1, "timeout_seconds": 2.0}


@pytest.fixture
def space() -> Iterator[FakeContentful]:
    with served() as space:
        yield space


def configured(space: FakeContentful, **more: Any) -> SourceSettings:
    keys = {"name": "space", "preset": "contentful", "prefix": "", "changes": "contentful-sync"}
    url = {"url": space.entries_url, "query": {"content_type": "component"}}
    return SourceSettings.model_validate({**keys, **url, **more})


def opened(space: FakeContentful, **more: Any) -> SyncedListing:
    """Return the source; as the program does for each poll and refresh."""
    auth = Auth(secret=SecretStr(KEY))
    hosts = ("images.ctfassets.net",)
    connection = CmsConnection(
        base_url=space.url, key="sources.space", auth=auth, allowed_hosts=hosts, max_attempts=1
    )
    return SyncedListing(configured(space, **more), connection)


def read(
    space: FakeContentful, etag: str | None = None, **more: Any
) -> tuple[dict[str, str], str | None]:
    """Return the revisions that a reading finds, by id, and its etag."""
    with opened(space, **more) as source:
        found = [each for page in source.pages(etag) for each in page.components]
        return {each.component_id: each.revision for each in found}, source.etag


def delivered(space: FakeContentful) -> dict[str, str]:
    """Return what a reading without the sync finds."""
    with opened(space) as source:
        found = [each for page in source.listing.pages() for each in page.components]
        return {each.component_id: each.revision for each in found}


def has_changed(space: FakeContentful, etag: str | None) -> bool:
    with opened(space) as source:
        return bool(source.changed(etag))


CHANGES: dict[str, Callable[[FakeContentful], None]] = {
    "published": lambda space: space.publish("new"),
    "edited": lambda space: space.publish("card", name="Cards"),
    "unpublished or deleted": lambda space: space.remove("hero"),
    "asset replaced": lambda space: space.replace("banner-shot"),
    "asset unpublished": lambda space: space.remove("banner-shot"),
}


def test_an_unchanged_space_costs_one_request(space: FakeContentful) -> None:
    _, etag = read(space)
    space.asked.clear()
    for _ in range(3):
        with opened(space) as source:
            poll = source.changed(etag)
        assert poll.not_modified
        assert poll.etag != etag  # the newer token
        etag = poll.etag
    assert len(space.asked) == 3
    assert all("/sync?sync_token=" in path for path in space.asked)


def test_a_refresh_of_an_unchanged_space_reads_nothing(space: FakeContentful) -> None:
    _, etag = read(space)
    space.asked.clear()
    with pytest.raises(NotModified):
        read(space, etag)
    assert len(space.asked) == 1


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_each_change_is_seen_once_and_the_listing_is_the_spaces(
    space: FakeContentful, change: Callable[[FakeContentful], None]
) -> None:
    before, etag = read(space)
    change(space)
    assert has_changed(space, etag)
    space.asked.clear()
    after, newer = read(space, etag)
    assert after == delivered(space) != before
    assert not [path for path in space.asked if "initial" in path]
    assert not has_changed(space, newer)


def test_a_change_while_the_listing_is_read_is_seen_by_the_next_poll(
    space: FakeContentful,
) -> None:
    with opened(space) as source:
        pages = source.pages()
        next(pages)
        space.publish("card", name="Cards")
        assert not list(pages)
        etag = source.etag
    assert has_changed(space, etag)


def test_what_was_just_published_is_looked_at_once_more(space: FakeContentful) -> None:
    """Caches of the delivery API may not have it at once, and then no sync would tell again."""
    _, etag = read(space)
    space.time = datetime.now(UTC).isoformat()
    space.publish("card", name="Cards")
    _, etag = read(space, etag)
    assert has_changed(space, etag)
    _, etag = read(space, etag)
    assert not has_changed(space, etag)


@pytest.mark.parametrize("status", [400, 404, 410])
def test_with_an_expired_token_all_is_read_anew(space: FakeContentful, status: int) -> None:
    _, etag = read(space)
    space.refusal = status
    space.forget_tokens()
    space.publish("new")
    assert has_changed(space, etag)
    found, newer = read(space, etag)
    assert found == delivered(space)
    assert not has_changed(space, newer)


@pytest.mark.parametrize("etag", [None, "digest:3:0a", '"an ETag"', "contentful-sync:"])
def test_another_readings_etag_is_no_token(space: FakeContentful, etag: str | None) -> None:
    """The sync was switched on after a reading without it."""
    assert has_changed(space, etag)
    assert read(space, etag)[0] == delivered(space)
    assert not [path for path in space.asked if "sync_token" in path]


def test_a_sync_of_several_pages_is_walked_to_its_end(space: FakeContentful) -> None:
    space.page = 2
    _, etag = read(space)
    assert sum("sync" in path for path in space.asked) == 4  # 4 entries and 3 assets
    assert not has_changed(space, etag)
    for entry in ("a", "b", "c"):
        space.publish(entry)
    found, etag = read(space, etag)
    assert found == delivered(space)
    assert not has_changed(space, etag)


def test_the_initial_sync_has_no_larger_pages_than_the_listing(space: FakeContentful) -> None:
    read(space, page_size=7)
    assert space.asked[0].endswith("/sync?initial=true&limit=7")


@pytest.mark.parametrize("host", ["https://evil.example", "https://images.ctfassets.net"])
@pytest.mark.parametrize("pages", [1, 100])
def test_a_sync_that_leads_elsewhere_is_refused(
    space: FakeContentful, host: str, pages: int
) -> None:
    """Not even a host that may keep files is asked for the sync; and no token is shown."""
    space.page = pages
    space.hand_out = lambda token: f"{host}/sync?sync_token=shh-{token}"
    with pytest.raises(ManifestError, match="not at the source's own") as refused:
        read(space)
    assert refused.value.code == "manifest.foreign_origin"
    assert "shh-" not in str(refused.value)
    assert len(space.asked) == 1


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "manifest.unusable"),
        ("/sync?sync_token=1", "manifest.relative_url"),
        ("{own}/sync", "manifest.unusable"),
        ("{own}/sync?sync_token=%00", "manifest.unusable"),
        ("{own}/sync?sync_token=" + "1" * 5000, "manifest.unusable"),
    ],
)
def test_a_sync_without_a_usable_token_is_an_error(
    space: FakeContentful, url: str, code: str
) -> None:
    space.hand_out = lambda token: url.format(own=space.url)
    with pytest.raises(ManifestError) as refused:
        read(space)
    assert refused.value.code == code


def test_a_sync_without_an_end_is_noticed(space: FakeContentful) -> None:
    space.page = 2
    again = space.hand_out
    read(space)
    (first, *_) = space.tokens
    space.hand_out = lambda token: again(first)
    with pytest.raises(ManifestError, match="no end"):
        read(space)


def test_a_space_of_more_than_max_items_is_an_error(space: FakeContentful) -> None:
    with pytest.raises(ManifestError, match=r"more than 6 .*max_items.*changes") as refused:
        read(space, max_items=6)
    assert refused.value.code == "manifest.too_many"


def test_an_api_without_a_sync_is_named(space: FakeContentful) -> None:
    """Neither polls nor refreshes take that for a change."""
    elsewhere = space.entries_url.replace("/master/", "/other/")
    for ask in (lambda one: one.changed("contentful-sync:t"), lambda one: list(one.pages())):
        with (
            opened(space, url=elsewhere) as source,
            pytest.raises(ManifestError, match=r"answered 404.*take sources.space.changes away"),
        ):
            ask(source)


def test_no_token_is_in_logs_or_errors(
    space: FakeContentful, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.NOTSET, "httpx")  # as in a program that has configured none
    _, etag = read(space)
    assert etag
    space.refusal = 500
    space.forget_tokens()
    with pytest.raises(ManifestError) as failed:
        read(space, etag)
    token = etag.partition(":")[2]
    assert "answer was 500" in str(failed.value)
    assert token not in str(failed.value) + caplog.text


def test_a_listing_without_the_sync_takes_a_token_for_another_listing(
    space: FakeContentful,
) -> None:
    """The sync was switched off again."""
    _, etag = read(space)
    with opened(space) as source:
        assert isinstance(source.listing, MappedListing)
        assert source.listing.changed(etag)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"conditional": True}, "takes the place of conditional"),
        ({"url": "https://cdn.contentful.com/spaces/s/assets"}, "ends in /entries"),
        ({"changes": "sync"}, "contentful-sync"),
        ({"kind": "images", "path": "/", "preset": None, "url": None}, "has no key changes"),
    ],
)
def test_what_cannot_be_synced_is_refused(
    space: FakeContentful, keys: dict[str, Any], why: str
) -> None:
    with pytest.raises(ValidationError, match=why):
        configured(space, **keys)


@pytest.mark.parametrize(("most", "polls"), [(100, "one small request"), (0, "cannot be used")])
def test_a_check_reads_one_page_and_tries_the_sync(
    space: FakeContentful, monkeypatch: pytest.MonkeyPatch, most: int, polls: str
) -> None:
    monkeypatch.setenv("SPACE_KEY", KEY)
    if not most:
        space.hand_out = lambda token: ""
    keys = configured(space).model_dump(exclude_unset=True)
    keys["auth"] = {"secret_env": "SPACE_KEY"}
    sample = take_sample(*sampled_source(Settings.model_validate({"sources": [keys]}), SOON))
    assert len(sample.items) == sample.total == 3
    assert sample.polls.startswith("Contentful's sync")
    assert polls in sample.polls
    assert len(space.asked) == 2
