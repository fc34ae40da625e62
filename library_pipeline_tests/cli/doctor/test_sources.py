"""What the doctor says of a CMS, good and bad."""

from __future__ import annotations

import time
from pathlib import Path

import psycopg
import pytest

from library_pipeline.cli.doctor.cms import check_manifests, check_sources
from library_pipeline.cli.doctor.examination import Check
from library_pipeline.cli.doctor.system import check_webhooks
from library_pipeline.refresh.manifest_state import record_unreadable
from library_pipeline.sample_cms import SampleCms
from library_pipeline.sample_cms.faults import Faults, FileFault, RequestFault
from library_pipeline.settings import load_settings
from library_pipeline_tests.support.ports import closed_port, silent_port
from library_pipeline_tests.support.shop import configure, open_shop, source
from library_pipeline_tests.support.web_server import answer, web_server


def looked_at(patience: float = 5) -> list[Check]:
    return list(check_sources(load_settings(), patience=patience))


def test_a_good_cms_is_ok(cms: SampleCms) -> None:
    page, polls = looked_at()
    assert (page.state, polls.state) == ("ok", "ok")
    assert page.found == f"{cms.url} answers, without a token: 6 components"
    assert polls.found == "an unchanged library is answered with 304"


def test_none_is_said_to_be_missing() -> None:
    (check,) = looked_at()
    assert (check.state, check.found) == ("wrong", "no source of components is set")
    assert "LIBRARY_CMS_BASE_URL" in (check.way_out or "")


def test_one_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIBRARY_CMS_BASE_URL", url := f"http://127.0.0.1:{closed_port()}")
    (check,) = looked_at()
    assert check.state == "wrong"
    assert f"cannot reach the CMS: is it running at {url}?" in check.found
    assert "network, VPN, proxy" in (check.way_out or "")


def test_one_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with silent_port() as port:
        monkeypatch.setenv("LIBRARY_CMS_BASE_URL", f"http://127.0.0.1:{port}")
        started = time.monotonic()
        (check,) = looked_at(patience=0.3)
    assert check.state == "wrong"
    assert "no answer in time" in check.found
    assert time.monotonic() - started < 3


def test_a_page_that_stalls_is_not_waited_for(cms: SampleCms) -> None:
    cms.faults = Faults(requests=(RequestFault("stall", every=1, seconds=60),))
    started = time.monotonic()
    (check,) = looked_at(patience=0.3)
    assert check.state == "wrong"
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("given", ["", "wrong-hunter2"])
def test_a_refused_token_is_said_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    (tmp_path / "library").mkdir()
    with SampleCms(tmp_path / "library", token="hunter2") as cms:
        monkeypatch.setenv("LIBRARY_CMS_BASE_URL", cms.url)
        monkeypatch.setenv("LIBRARY_CMS_TOKEN", given)
        (check,) = looked_at()
    assert check.state == "wrong"
    assert "LIBRARY_CMS_TOKEN" in check.found
    assert "hunter2" not in f"{check}"


def test_unusable_entries_are_counted_and_one_is_named(cms: SampleCms) -> None:
    cms.faults = Faults(
        files=(FileFault("c-1", do="relative_url"), FileFault("c-4", do="relative_url"))
    )
    page, _ = looked_at()
    assert page.state == "warning"
    assert "6 components, 2 of them unusable (" in page.found
    assert "c-1" in page.found


@pytest.mark.parametrize(
    ("fault", "words"), [("no_etag", "gives no ETag"), ("new_etags", "another ETag each time")]
)
def test_costly_polls_are_worth_a_warning(cms: SampleCms, fault: str, words: str) -> None:
    cms.faults = Faults(manifest=frozenset({fault}))  # type: ignore[arg-type]
    page, polls = looked_at()
    assert (page.state, polls.state) == ("ok", "warning")
    assert words in polls.found


def test_what_is_no_manifest_is_wrong(cms: SampleCms) -> None:
    cms.faults = Faults(manifest=frozenset({"not_json"}))
    (check,) = looked_at()
    assert check.state == "wrong"
    assert "is not JSON" in check.found


def test_an_empty_library_is_worth_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "library").mkdir()
    with SampleCms(tmp_path / "library") as cms:
        monkeypatch.setenv("LIBRARY_CMS_BASE_URL", cms.url)
        page, *_ = looked_at()
    assert page.state == "warning"
    assert "0 components" in page.found


def test_many_pages_are_not_read(cms: SampleCms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIBRARY_CMS_PAGE_SIZE", "2")
    page, _ = looked_at()
    assert page.found.endswith("2 components on the first page, 6 in all")
    assert cms.requests["/components"] == 2  # that page, and the poll


def test_what_is_wrong_with_a_source_is_corrected_in_its_own_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "wrong")
    monkeypatch.setenv("LIBRARY_CMS_TOKEN", "")
    with (
        open_shop() as shop,
        web_server(lambda handler: answer(handler, b"{}", 400)) as strict,
    ):
        configure(
            source(shop),
            source(shop, "strict", url=f"{strict}/items"),
            source(shop, "locked", auth={"secret_env": "NOT_SET"}),
        )
        refused, strict_, locked = looked_at()
    assert (
        refused.way_out
        == "ask the operator of the CMS for a token, and set sources.shop.auth to it"
    )
    assert "does it know the names in sources.strict.query (fields, filters)" in strict_.found
    assert "is sources.strict.page_size too large for it?" in strict_.found
    assert "source check strict" in (strict_.way_out or "")
    assert "sources.locked.auth: the environment variable NOT_SET" in locked.found
    assert "LIBRARY_CMS" not in f"{refused}{strict_}{locked}"


def test_what_the_last_refresh_could_not_read_is_told(
    cms: SampleCms, connection: psycopg.Connection
) -> None:
    """The first page may be there, and the seventh not."""
    assert not list(check_manifests(load_settings()))
    record_unreadable(connection, "cms", "page 7 answered 500\x1b[2J")
    (check,) = check_manifests(load_settings())
    assert (check.name, check.state) == ("cms manifest", "warning")
    assert check.found == r"could not be read last: page 7 answered 500\x1b[2J"


def test_the_secret_of_every_webhook_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", "hunter2")
    with open_shop() as shop:
        configure(
            source(shop, "good", webhook={"secret_env": "HOOK"}),
            source(shop, "lost", webhook={"secret_file": "none", "kind": "hmac-sha256"}),
            source(shop),
        )
        good, lost = check_webhooks(load_settings())
    assert (good.name, good.state) == ("good webhook", "ok")
    assert (lost.name, lost.state) == ("lost webhook", "wrong")
    assert "none cannot be read: No such file" in lost.found
    assert "hunter2" not in f"{good}{lost}"
