"""Fetching bundles from the sample CMS: what is downloaded, what is not, and what goes wrong."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from library_pipeline.bundles.download import BundleDownloader, FetchedBundle
from library_pipeline.bundles.store import BundleStore
from library_pipeline.catalog.component import FILE_KINDS, Component, FileKind, FileRef
from library_pipeline.catalog.errors import ComponentError
from library_pipeline.sample_cms import Faults, FileFault, RequestFault, SampleCms
from library_pipeline.sources.contract import HttpCms
from library_pipeline.sources.factory import contract_source
from library_pipeline.sources.http.connection import CmsConnection
from library_pipeline_tests.support.small_cms import TOKEN, connection_to, png, write_bundle


@pytest.fixture
def store(tmp_path: Path) -> BundleStore:
    return BundleStore(tmp_path / "store")


def listed(cms: SampleCms) -> dict[str, Component]:
    with HttpCms(connection_to(cms)) as http_cms:
        return {c.component_id: c for page in http_cms.pages() for c in page.components}


def hero(cms: SampleCms) -> Component:
    component = listed(cms)["hero"]
    cms.requests.clear()
    return component


def fetch(
    connection: CmsConnection, store: BundleStore, *components: Component, force: bool = False
) -> list[FetchedBundle]:
    async def all_at_once() -> list[FetchedBundle]:
        async with BundleDownloader([contract_source(connection)], store) as downloader:
            return await asyncio.gather(*(downloader.fetch(c, force=force) for c in components))

    return asyncio.run(all_at_once())


def failure(cms: SampleCms, store: BundleStore, component: Component, **s: Any) -> ComponentError:
    with pytest.raises(ComponentError) as caught:
        fetch(connection_to(cms, **s), store, component)
    error = caught.value
    assert error.phase == "download"
    assert error.message.startswith(f"component '{component.component_id}': ")
    assert "http://" in error.message
    assert TOKEN not in error.message
    return error


def without_digests(component: Component) -> Component:
    return replace(component, files={k: FileRef(f.url) for k, f in component.files.items()})


def with_url(component: Component, kind: FileKind, url: str) -> Component:
    return replace(component, files={**component.files, kind: FileRef(url)})


def test_a_bundle_is_its_four_files_by_digest(
    cms: SampleCms, store: BundleStore, folder: Path
) -> None:
    component = hero(cms)
    (fetched,) = fetch(connection_to(cms), store, component)
    assert fetched.bundle.component_id == "hero"
    assert fetched.bundle.revision == component.revision
    names = ("config.json", "format.html", "records.json", "screenshot.png")
    contents = {
        kind: (folder / "hero" / name).read_bytes()
        for kind, name in zip(FILE_KINDS, names, strict=True)
    }
    for kind, data in contents.items():
        assert store.get(fetched.bundle.files[kind].sha256) == data
        assert fetched.bundle.files[kind].size == len(data)
    assert fetched.screenshot == contents["screenshot"]
    assert fetched.downloaded_bytes == fetched.bundle.size == sum(map(len, contents.values()))
    assert fetched.milliseconds > 0


@pytest.mark.parametrize("digests", [True, False])
def test_what_is_in_the_store_is_downloaded_only_without_a_stated_digest(
    cms: SampleCms, store: BundleStore, digests: bool
) -> None:
    component = hero(cms) if digests else without_digests(hero(cms))
    (first,) = fetch(connection_to(cms), store, component)
    cms.requests.clear()
    (second,) = fetch(connection_to(cms), store, component)
    assert cms.requests.total() == (0 if digests else 4)
    assert second.downloaded_bytes == (0 if digests else first.downloaded_bytes)
    assert second.screenshot == first.screenshot
    assert second.bundle == first.bundle


def test_only_the_file_that_changed_is_downloaded(
    cms: SampleCms, store: BundleStore, folder: Path
) -> None:
    fetch(connection_to(cms), store, hero(cms))
    (folder / "hero" / "screenshot.png").write_bytes(png((1, 2, 3)))
    component = hero(cms)
    (fetched,) = fetch(connection_to(cms), store, component)
    assert cms.requests == {"/files/hero.screenshot": 1}
    assert fetched.screenshot == png((1, 2, 3))


def test_force_downloads_everything_and_repairs_the_store(
    cms: SampleCms, store: BundleStore
) -> None:
    component = hero(cms)
    (fetched,) = fetch(connection_to(cms), store, component)
    config = fetched.bundle.files["config"]
    Path(store.url(config.sha256)).write_bytes(b"x" * config.size)
    cms.requests.clear()
    fetch(connection_to(cms), store, component, force=True)
    assert cms.requests.total() == 4
    assert store.get(config.sha256)


def test_a_corrupt_screenshot_in_the_store_is_downloaded_anew(
    cms: SampleCms, store: BundleStore
) -> None:
    component = hero(cms)
    (fetched,) = fetch(connection_to(cms), store, component)
    screenshot = fetched.bundle.files["screenshot"]
    Path(store.url(screenshot.sha256)).write_bytes(b"x" * screenshot.size)
    cms.requests.clear()
    (again,) = fetch(connection_to(cms), store, component)
    assert again.screenshot == fetched.screenshot == store.get(screenshot.sha256)
    assert cms.requests == {"/files/hero.screenshot": 1}


def test_many_components_at_once_are_each_kept_as_they_are(
    cms: SampleCms, store: BundleStore, folder: Path
) -> None:
    for number in range(30):
        write_bundle(folder, f"more-{number}")
    components = list(listed(cms).values())
    for component, fetched in zip(
        components, fetch(connection_to(cms), store, *components), strict=True
    ):
        assert fetched.bundle.component_id == component.component_id
        config = json.loads(store.get(fetched.bundle.files["config"].sha256))
        assert config == {"component": component.component_id}


def test_a_bundle_may_be_kept_in_any_fsspec_file_system(cms: SampleCms) -> None:
    store = BundleStore("memory://test-download/bundles")
    component = hero(cms)
    for _ in range(2):
        (fetched,) = fetch(connection_to(cms), store, component)
        assert store.get(fetched.bundle.screenshot_sha256) == fetched.screenshot


@pytest.mark.parametrize(
    "component_id", ["ä/../b?c#d%20", "..", "a b", "日本語", "x\ny", "a.config"]
)
def test_any_unicode_id_works_in_urls(
    cms: SampleCms, store: BundleStore, folder: Path, component_id: str
) -> None:
    write_bundle(folder, component_id)
    (fetched,) = fetch(connection_to(cms), store, listed(cms)[component_id])
    config = json.loads(store.get(fetched.bundle.files["config"].sha256))
    assert config == {"component": component_id}


@pytest.mark.parametrize(
    ("status", "code", "transient"),
    [
        (404, "not_found", False),
        (410, "not_found", False),
        (401, "forbidden", False),
        (403, "forbidden", False),
        (418, "refused", False),
        (204, "refused", False),
        (500, "server_error", True),
        (503, "server_error", True),
        (429, "rate_limited", True),
    ],
)
@pytest.mark.parametrize("kind", ["config", "screenshot"])
def test_a_status_has_its_code_and_says_whether_it_may_heal(
    cms: SampleCms, store: BundleStore, kind: FileKind, status: int, code: str, transient: bool
) -> None:
    component = hero(cms)
    cms.faults = Faults(files=(FileFault("hero", kind, "status", status),), retry_after="0")
    error = failure(cms, store, component, rate_limit_patience_seconds=0.1)
    assert (error.code, error.transient) == (f"download.{code}", transient)
    assert f"{kind} at {cms.url}/files/hero.{kind}: the answer was {status}" in error.message
    asked = cms.requests[f"/files/hero.{kind}"]
    assert asked > 1 if transient else asked == 1


@pytest.mark.parametrize("do", ["status", "drop", "truncate", "stall"])
def test_a_passing_fault_is_tried_again(cms: SampleCms, store: BundleStore, do: Any) -> None:
    component = hero(cms)
    cms.faults = Faults(files=(FileFault("hero", "records", do, 503, seconds=1, times=2),))
    fetch(connection_to(cms, timeout_seconds=0.1), store, component)
    assert cms.requests["/files/hero.records"] == 3


@pytest.mark.parametrize(
    ("do", "code"),
    [("drop", "connection_lost"), ("truncate", "truncated"), ("stall", "timeout")],
)
def test_a_fault_that_stays_fails_the_component_for_now(
    cms: SampleCms, store: BundleStore, do: Any, code: str
) -> None:
    component = hero(cms)
    cms.faults = Faults(files=(FileFault("hero", "records", do, seconds=1),))
    error = failure(cms, store, component, timeout_seconds=0.05, max_attempts=2)
    assert (error.code, error.transient) == (f"download.{code}", True)
    assert not store.has(component.files["config"].sha256 or "")  # all of it, or nothing


def test_the_whole_answer_has_a_time_limit_too(cms: SampleCms, store: BundleStore) -> None:
    component = hero(cms)
    cms.faults = Faults(files=(FileFault("hero", "records", "stall", seconds=1),))
    error = failure(cms, store, component, answer_timeout_seconds=0.05, max_attempts=1)
    assert error.code == "download.timeout"


def test_a_host_that_is_down_is_transient(cms: SampleCms, store: BundleStore) -> None:
    component = hero(cms)
    cms.stop()
    error = failure(cms, store, component)
    assert (error.code, error.transient) == ("download.unreachable", True)


def test_a_rate_limited_cms_gives_everything_in_the_end(
    cms: SampleCms, store: BundleStore, folder: Path
) -> None:
    """Far more requests than the limit, all at once, and no component may fail for it."""
    for number in range(20):
        write_bundle(folder, f"more-{number}")
    components = listed(cms).values()
    cms.faults = Faults(requests_per_second=60, retry_after="0")
    connection = connection_to(cms, rate_limit_patience_seconds=20, backoff_max_seconds=0.1)
    fetched = fetch(connection, store, *components)
    assert len(fetched) == 23
    assert cms.requests.total() < 4 * 23 * 4  # it slowed down instead of hammering


def test_a_set_pace_is_kept(cms: SampleCms, store: BundleStore) -> None:
    component = hero(cms)
    cms.faults = Faults(requests_per_second=1000)
    (fetched,) = fetch(connection_to(cms, requests_per_second=20), store, component)
    assert fetched.milliseconds >= 149  # four requests, 50 ms apart


def test_no_more_requests_than_slots_are_under_way(
    cms: SampleCms, store: BundleStore, folder: Path
) -> None:
    components = [hero(cms), listed(cms)["card"]]
    cms.faults = Faults(requests=(RequestFault("stall", every=1, seconds=0.05),))
    slow = fetch(connection_to(cms, concurrency=1), store, *components)
    assert max(fetched.milliseconds for fetched in slow) >= 8 * 50


def test_a_file_beyond_its_limit_is_not_read_to_its_end(
    cms: SampleCms, store: BundleStore, folder: Path
) -> None:
    (folder / "hero" / "format.html").write_bytes(b"x" * 5000)
    error = failure(cms, store, hero(cms), limits={"format": 4999})
    assert (error.code, error.transient) == ("download.too_large", False)
    assert "4,999 bytes" in error.message
    fetch(connection_to(cms, limits={"format": 5000}), store, hero(cms))


def test_an_edit_after_the_manifest_was_read_is_a_digest_mismatch(
    cms: SampleCms, store: BundleStore, folder: Path
) -> None:
    component = hero(cms)
    (folder / "hero" / "config.json").write_text("{}")
    error = failure(cms, store, component)
    assert (error.code, error.transient) == ("download.digest_mismatch", True)
    assert hashlib.sha256(b"{}").hexdigest() in error.message
    assert str(component.files["config"].sha256) in error.message


@pytest.mark.parametrize("kind", ["config", "records"])
@pytest.mark.parametrize("data", [b"", b"<html>", b"{", b"\xff\xfe", b"[" * 100_000])
def test_config_and_records_have_to_be_json(
    cms: SampleCms, store: BundleStore, folder: Path, kind: FileKind, data: bytes
) -> None:
    (folder / "hero" / f"{kind}.json").write_bytes(data)
    error = failure(cms, store, hero(cms))
    assert (error.code, error.transient) == ("download.not_json", False)
    assert f"{kind} at " in error.message
    assert "is not JSON" in error.message


def test_large_json_is_checked_as_well(cms: SampleCms, store: BundleStore, folder: Path) -> None:
    (folder / "hero" / "records.json").write_bytes(b"[" + b" " * 2_000_000)
    assert failure(cms, store, hero(cms)).code == "download.not_json"


def test_a_screenshot_that_is_no_picture_is_the_decoders_business(
    cms: SampleCms, store: BundleStore
) -> None:
    cms.faults = Faults(files=(FileFault("hero", "screenshot", "garbage"),))
    (fetched,) = fetch(connection_to(cms), store, hero(cms))
    assert fetched.screenshot == b"neither a picture nor JSON"


def test_a_redirect_within_the_cms_is_followed(cms: SampleCms, store: BundleStore) -> None:
    component = without_digests(hero(cms))
    fault = FileFault("hero", "config", "redirect", location="/files/card.config")
    cms.faults = Faults(files=(fault,))
    (fetched,) = fetch(connection_to(cms), store, component)
    assert b"card" in store.get(fetched.bundle.files["config"].sha256)


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://evil.example/",
        "file:///etc/passwd",
        "//evil.example/",
        "http://[",
    ],
)
def test_a_redirect_elsewhere_is_not_followed(
    cms: SampleCms, store: BundleStore, location: str
) -> None:
    component = hero(cms)
    cms.faults = Faults(files=(FileFault("hero", "config", "redirect", location=location),))
    error = failure(cms, store, component)
    assert (error.code, error.transient) == ("download.bad_redirect", False)


def test_redirects_in_circles_are_given_up(cms: SampleCms, store: BundleStore) -> None:
    component = hero(cms)
    fault = FileFault("hero", "config", "redirect", location="/files/hero.config")
    cms.faults = Faults(files=(fault,))
    assert "more than 3 times" in failure(cms, store, component).message
    assert cms.requests["/files/hero.config"] == 4


@pytest.mark.parametrize("redirected", [False, True])
def test_the_token_goes_to_the_cms_only(
    cms: SampleCms, store: BundleStore, folder: Path, redirected: bool
) -> None:
    """The listed host here wants the token, so that a 401 proves that it was not sent."""
    with SampleCms(folder, token=TOKEN) as other:
        url = f"{other.url}/files/hero.config"
        component = hero(cms)
        if redirected:
            fault = FileFault("hero", "config", "redirect", location=url)
            cms.faults = Faults(files=(fault,))
        else:
            component = with_url(component, "config", url)
        host = other.url.removeprefix("http://")
        error = failure(cms, store, component, allowed_hosts=(host,))
        assert error.code == "download.forbidden"
        assert "the token goes to the CMS's own origin only" in error.message
        assert other.requests["/files/hero.config"] == 1


def test_a_url_that_is_not_allowed_is_never_asked(cms: SampleCms, store: BundleStore) -> None:
    for url, code in (
        ("http://169.254.169.254/x", "foreign_origin"),
        ("file:///etc/passwd", "bad_scheme"),
        ("/etc/passwd", "relative_url"),
    ):
        component = with_url(hero(cms), "config", url)
        with pytest.raises(ComponentError) as caught:
            fetch(connection_to(cms), store, component)
        assert caught.value.code == f"download.{code}"


def test_neither_signatures_nor_tokens_are_shown_or_logged(
    cms: SampleCms, store: BundleStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    component = with_url(hero(cms), "config", f"{cms.url}/files/none.config?signature=hush")
    error = failure(cms, store, component)
    assert "hush" not in error.message + caplog.text
    assert f"{cms.url}/files/none.config?..." in error.message


def test_the_error_that_will_not_heal_is_the_one_told(cms: SampleCms, store: BundleStore) -> None:
    component = hero(cms)
    faults = (
        FileFault("hero", "config", "status", 503),
        FileFault("hero", "records", "status", 404),
    )
    cms.faults = Faults(files=faults)
    assert failure(cms, store, component).code == "download.not_found"


@pytest.mark.parametrize("do", ["drop", "garbage"])
def test_one_bad_component_leaves_its_neighbours_alone(
    cms: SampleCms, store: BundleStore, do: Any
) -> None:
    components = list(listed(cms).values())
    cms.faults = Faults(files=(FileFault("card", "format", do),))

    async def all_at_once() -> list[FetchedBundle | BaseException]:
        async with BundleDownloader([contract_source(connection_to(cms))], store) as downloader:
            tasks = (downloader.fetch(component) for component in components)
            return await asyncio.gather(*tasks, return_exceptions=True)

    outcome = [isinstance(result, FetchedBundle) for result in asyncio.run(all_at_once())]
    assert outcome == [True, False, True]


def test_a_store_that_cannot_be_written_is_named(
    cms: SampleCms, store: BundleStore, tmp_path: Path
) -> None:
    component = hero(cms)
    sha256 = str(component.files["config"].sha256)
    (tmp_path / "store" / sha256[:2]).write_text("in the way")
    error = failure(cms, store, component)
    assert (error.code, error.transient) == ("download.not_kept", True)
    assert "bundle store" in error.message


def test_a_cancelled_fetch_leaves_the_downloader_usable(cms: SampleCms, store: BundleStore) -> None:
    component = hero(cms)
    cms.faults = Faults(files=(FileFault("hero", "records", "stall", seconds=5, times=1),))

    async def cancel_then_fetch() -> FetchedBundle:
        async with BundleDownloader(
            [contract_source(connection_to(cms, concurrency=2))], store
        ) as downloader:
            task = asyncio.create_task(downloader.fetch(component))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return await downloader.fetch(component)

    assert asyncio.run(cancel_then_fetch()).bundle.component_id == "hero"


def test_a_downloader_works_inside_async_with_only(cms: SampleCms, store: BundleStore) -> None:
    with pytest.raises(RuntimeError, match="async with"):
        asyncio.run(BundleDownloader([contract_source(connection_to(cms))], store).fetch(hero(cms)))
