"""The sample CMS keeps the contract that it is the reference for."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from library_pipeline.sample_cms import Faults, FileFault, RequestFault, SampleCms
from library_pipeline_tests.support.small_cms import STATED_TIME, TOKEN, png, write_bundle


@pytest.fixture
def client(cms: SampleCms) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=cms.url, headers=headers, timeout=5) as client:
        yield client


def listing(client: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    return client.get("/components", params=query).json()["components"]


def entry(client: httpx.Client, component_id: str = "hero") -> dict[str, Any]:
    return next(found for found in listing(client) if found["id"] == component_id)


def etag(client: httpx.Client) -> str:
    return client.get("/components").headers["etag"]


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_the_manifest_lists_every_bundle_with_its_attributes(
    client: httpx.Client, cms: SampleCms
) -> None:
    assert [found["id"] for found in listing(client)] == ["banner", "card", "hero"]
    found = entry(client)
    assert (found["name"], found["client"], found["category"]) == ("The hero", "Acme", "")
    assert (found["tags"], found["updated_at"]) == (["new"], STATED_TIME)
    assert found["files"]["screenshot"]["url"] == f"{cms.url}/files/hero.screenshot"


@pytest.mark.parametrize(
    ("kind", "name", "media_type"),
    [
        ("config", "config.json", "application/json"),
        ("format", "format.html", "text/html; charset=utf-8"),
        ("records", "records.json", "application/json"),
        ("screenshot", "screenshot.png", "image/png"),
    ],
)
def test_a_file_is_served_with_its_type_and_digest(
    client: httpx.Client, folder: Path, kind: str, name: str, media_type: str
) -> None:
    file = entry(client)["files"][kind]
    answer = client.get(file["url"])
    assert answer.content == (folder / "hero" / name).read_bytes()
    assert answer.headers["content-type"] == media_type
    assert answer.headers["etag"] == f'"{file["sha256"]}"'
    again = client.get(file["url"], headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("suffix", "media_type"),
    [("jpg", "image/jpeg"), ("jfif", "image/jpeg"), ("webp", "image/webp"), ("gif", "image/gif")],
)
def test_screenshots_come_in_several_formats(
    client: httpx.Client, folder: Path, suffix: str, media_type: str
) -> None:
    (folder / "hero" / "screenshot.png").rename(folder / "hero" / f"screenshot.{suffix}")
    answer = client.get(entry(client)["files"]["screenshot"]["url"])
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)


@pytest.mark.parametrize("known", ["{}", "W/{}", '"old", {}', "*"])
def test_an_unchanged_listing_is_a_304(client: httpx.Client, known: str) -> None:
    current = etag(client)
    answer = client.get("/components", headers={"If-None-Match": known.format(current)})
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == current


def test_any_edit_addition_or_removal_changes_the_etag_of_every_first_page(
    client: httpx.Client, folder: Path
) -> None:
    seen = [etag(client)]
    hero = folder / "hero"
    for change in (
        lambda: edit(hero / "attributes.json", tags=["old"]),
        lambda: edit(hero / "config.json", x=1),
        lambda: (hero / "format.html").write_text("<b>"),
        lambda: edit(hero / "config.json", x=2),  # as long as before
        lambda: (hero / "screenshot.png").write_bytes(png((9, 9, 9))),
        lambda: write_bundle(folder, "footer"),
        lambda: shutil.rmtree(folder / "card"),
    ):
        change()
        seen.append(etag(client))
        assert client.get("/components", params={"limit": 1}).headers["etag"] == seen[-1]
    assert len(set(seen)) == len(seen)


def test_a_touched_file_changes_nothing(client: httpx.Client, folder: Path) -> None:
    before = etag(client)
    os.utime(folder / "hero" / "config.json")
    assert etag(client) == before


def test_an_edit_is_a_new_revision_of_that_component_alone(
    client: httpx.Client, folder: Path
) -> None:
    before = {found["id"]: found["revision"] for found in listing(client)}
    edit(folder / "hero" / "config.json", x=1)
    after = {found["id"]: found["revision"] for found in listing(client)}
    assert {key for key in before if before[key] != after[key]} == {"hero"}


def test_pages_follow_each_other_whatever_is_edited_in_between(
    client: httpx.Client, folder: Path
) -> None:
    first = client.get("/components", params={"limit": 2}).json()
    write_bundle(folder, "aaa")
    shutil.rmtree(folder / "banner")
    second = client.get("/components", params={"limit": 2, "cursor": first["next"]}).json()
    assert [found["id"] for found in second["components"]] == ["hero"]
    assert second["next"] is None


def test_only_the_first_page_has_an_etag(client: httpx.Client) -> None:
    cursor = client.get("/components", params={"limit": 1}).json()["next"]
    assert "etag" not in client.get("/components", params={"cursor": cursor}).headers


def test_updated_since_is_honoured_inclusively_for_what_the_cms_saw_happen(
    client: httpx.Client, folder: Path
) -> None:
    assert len(listing(client)) == 3
    edit(folder / "hero" / "config.json", x=1)
    updated_at = entry(client)["updated_at"]
    for since in (updated_at, updated_at.replace("Z", "+00:00")):
        page = client.get("/components", params={"updated_since": since}).json()
        assert [found["id"] for found in page["components"]] == ["hero"]
        assert (page["since"], page["total"]) == (updated_at, 3)
    later = str(datetime.fromisoformat(updated_at) + timedelta(microseconds=1))
    assert listing(client, updated_since=later) == []


def test_asked_for_a_time_before_it_was_started_it_lists_everything(client: httpx.Client) -> None:
    page = client.get("/components", params={"updated_since": STATED_TIME}).json()
    assert len(page["components"]) == page["total"] == 3
    assert "since" not in page


def test_whatever_is_listed_anew_is_an_update_of_now_even_with_old_files(
    client: httpx.Client, folder: Path, tmp_path: Path
) -> None:
    assert len(listing(client)) == 3
    since = datetime.now(UTC).isoformat()
    bundle = write_bundle(tmp_path / "elsewhere", "moved")
    for file in bundle.iterdir():
        os.utime(file, (0, 0))
    bundle.rename(folder / "moved")
    (folder / "card").rename(tmp_path / "card")
    assert [found["id"] for found in listing(client, updated_since=since)] == ["moved"]
    (tmp_path / "card").rename(folder / "card")
    os.utime(folder / "hero" / "config.json")
    updated = listing(client, updated_since=since)
    assert [found["id"] for found in updated] == ["card", "moved"]
    assert updated == listing(client, updated_since=since)


def test_what_it_lists_wrongly_on_purpose_is_not_told_from_updates(
    client: httpx.Client, cms: SampleCms
) -> None:
    assert len(listing(client)) == 3
    cms.faults = Faults(files=(FileFault("hero", "config", "missing"),))
    page = client.get("/components", params={"updated_since": "2100-01-01"}).json()
    assert len(page["components"]) == 3
    assert not {"since", "total"} & set(page)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "1001"),
        ("limit", "-1"),
        ("limit", "ten"),
        ("limit", ""),
        ("limit", "\u0663"),
        ("limit", "9" * 5000),
        ("cursor", "nonsense"),
        ("cursor", "////"),
        ("updated_since", "yesterday"),
    ],
)
def test_a_query_that_cannot_be_used_is_a_400_that_names_it(
    client: httpx.Client, name: str, value: str
) -> None:
    answer = client.get("/components", params={name: value})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"{name}={value[:40]!r} is not ")


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer no"}, {"Authorization": TOKEN}])
@pytest.mark.parametrize("path", ["/components", "/files/hero.config", "/nothing"])
def test_without_the_token_everything_is_a_401(
    cms: SampleCms, header: dict[str, str], path: str
) -> None:
    answer = httpx.get(cms.url + path, headers=header)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert TOKEN not in answer.text


def test_health_needs_no_token_and_no_luck(cms: SampleCms) -> None:
    cms.faults = Faults(requests=(RequestFault("status", every=1),))
    assert httpx.get(f"{cms.url}/healthz").text == "ok"


def test_without_a_token_set_none_is_asked_for(folder: Path) -> None:
    with SampleCms(folder) as cms:
        assert httpx.get(f"{cms.url}/components").status_code == 200


@pytest.mark.parametrize("path", ["/files/none.config", "/files/hero.none", "/files/hero", "/x"])
def test_what_is_not_there_is_a_404(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/files/../../etc/passwd.config", "/files/%2e%2e%2fhero.config"])
def test_no_path_leads_out_of_the_folder(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_base_url_stands_in_front_of_every_url(folder: Path) -> None:
    with SampleCms(folder, base_url="https://cms.example.com/api/") as cms:
        found = httpx.get(f"{cms.url}/components").json()["components"][0]
    assert found["files"]["config"]["url"] == "https://cms.example.com/api/files/banner.config"


def test_a_bundle_without_an_id_is_called_as_its_folder(client: httpx.Client, folder: Path) -> None:
    bundle = write_bundle(folder, "x", name="footer")
    (bundle / "attributes.json").write_text("{}")
    assert entry(client, "footer")["name"] == ""


@pytest.mark.parametrize("half", ["", "{", "[]", '{"name": "\\ud800"}', '{"updated_at": "x"}'])
def test_a_bundle_in_the_middle_of_an_edit_stays_as_it_was(
    client: httpx.Client, folder: Path, half: str
) -> None:
    before = entry(client)
    (folder / "hero" / "attributes.json").write_text(half)
    assert entry(client) == before


def test_what_is_no_bundle_is_not_listed(client: httpx.Client, folder: Path) -> None:
    (folder / "README.txt").write_text("a file")
    (folder / "empty").mkdir()
    (folder / "broken").mkdir()
    (folder / "broken" / "attributes.json").write_text("{")
    assert len(listing(client)) == 3


def test_a_file_that_is_missing_in_the_folder_is_missing_in_the_manifest(
    client: httpx.Client, folder: Path
) -> None:
    (folder / "hero" / "records.json").unlink()
    assert set(entry(client)["files"]) == {"config", "format", "screenshot"}


def test_an_id_in_two_folders_is_listed_once(client: httpx.Client, folder: Path) -> None:
    write_bundle(folder, "hero", name="zzz")
    assert [found["id"] for found in listing(client)].count("hero") == 1


def test_requests_are_counted_by_path(client: httpx.Client, cms: SampleCms) -> None:
    client.get("/components?limit=1")
    client.get("/components?limit=2")
    assert cms.requests == {"/components": 2}


def test_a_rate_limit_answers_429_with_retry_after(client: httpx.Client, cms: SampleCms) -> None:
    cms.faults = Faults(requests_per_second=2, retry_after="7")
    answers = [client.get("/components") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].headers["retry-after"] == "7"


def test_the_nth_and_every_kth_request_go_wrong(client: httpx.Client, cms: SampleCms) -> None:
    cms.faults = Faults(requests=(RequestFault("status", every=3, nth=(1,), status=500),))
    statuses = [client.get("/components").status_code for _ in range(6)]
    assert statuses == [500, 200, 500, 200, 200, 500]


@pytest.mark.parametrize("do", ["drop", "truncate"])
def test_a_connection_is_dropped_or_the_body_cut(
    client: httpx.Client, cms: SampleCms, do: Any
) -> None:
    cms.faults = Faults(files=(FileFault("hero", "format", do),))
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/files/hero.format")
    assert client.get("/files/hero.config").status_code == 200


def test_a_stall_takes_its_time(client: httpx.Client, cms: SampleCms) -> None:
    cms.faults = Faults(files=(FileFault("hero", "format", "stall", seconds=0.1),))
    assert client.get("/files/hero.format").elapsed.total_seconds() >= 0.1


@pytest.mark.parametrize(
    ("do", "check"),
    [
        ("missing", lambda files: "config" not in files),
        ("relative_url", lambda files: files["config"]["url"] == "files/config"),
        ("foreign_url", lambda files: "elsewhere.example" in files["config"]["url"]),
        ("wrong_sha256", lambda files: files["config"]["sha256"] == "0" * 64),
        ("garbage", lambda files: "sha256" not in files["config"]),
    ],
)
def test_a_manifest_entry_is_spoilt_alone(
    client: httpx.Client, cms: SampleCms, do: Any, check: Any
) -> None:
    cms.faults = Faults(files=(FileFault("hero", "config", do),))
    assert check(entry(client)["files"])
    assert not check(entry(client, "card")["files"])


def test_the_manifest_as_a_whole_can_be_wrong(client: httpx.Client, cms: SampleCms) -> None:
    cms.faults = Faults(manifest=frozenset({"not_json"}))
    assert client.get("/components").text.startswith("<html>")
    cms.faults = Faults(manifest=frozenset({"no_etag", "no_sha256"}))
    assert "etag" not in client.get("/components").headers
    assert set(entry(client)["files"]["config"]) == {"url"}
    cms.faults = Faults(duplicate_ids=frozenset({"hero"}))
    assert len(listing(client)) == 4


def test_faults_can_be_set_over_http_only_where_that_was_allowed(
    cms: SampleCms, client: httpx.Client, folder: Path
) -> None:
    assert client.post("/_faults", json={}).status_code == 404
    with SampleCms(folder, token=TOKEN, allow_faults=True) as other:
        url, headers = f"{other.url}/_faults", {"Authorization": f"Bearer {TOKEN}"}
        assert httpx.post(url, json={}).status_code == 401
        body = {"requests": [{"do": "status", "every": 1, "path": "/components"}]}
        assert httpx.post(url, json=body, headers=headers).status_code == 200
        assert other.faults.requests == (RequestFault("status", every=1, path="/components"),)
        assert httpx.get(f"{other.url}/components", headers=headers).status_code == 503
        assert httpx.get(url, headers=headers).json()["requests"][0]["every"] == 1
        wrong = httpx.post(url, json={"no_such_fault": 1}, headers=headers)
        assert (wrong.status_code, "no_such_fault" in wrong.text) == (400, True)
        assert httpx.post(url, json={}, headers=headers).json()["requests"] == []
        assert httpx.get(f"{other.url}/components", headers=headers).status_code == 200
