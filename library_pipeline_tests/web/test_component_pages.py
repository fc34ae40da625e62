"""Components one by one and side by side: where they lead, what became of them."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from library_pipeline.bundles.store import BundleStore
from library_pipeline.catalog.errors import Failure
from library_pipeline.database.connection import Database
from library_pipeline.refresh.outcomes import record_failures
from library_pipeline.settings import Settings
from library_pipeline.web.compare import rows
from library_pipeline.web.service import create_app
from tools.testing.bundles import picture
from tools.testing.indexing import Sample, index

ENTRY = "https://cms.test/entries/7?edit=1&tab=2"


def hero(seed: str, revision: str, **attributes: object) -> Sample:
    texts = {"config": f'{{"width": 320, "seed": "{seed}", "nested": {{"list": [1, "<i>"]}}}}'}
    return Sample(
        "a,b", picture(seed), "Hero", revision=revision, texts=texts, attributes=dict(attributes)
    )


def test_addresses_on_the_web_are_links_and_nothing_else_is(
    own_client: TestClient, database: Database, settings: Settings
) -> None:
    sly = {
        "entry": ENTRY,
        "script": "javascript:alert(1)",
        "data": "data:text/html,x",
        "relative": "//cms.test/x",
        "host": "https://",
        "broken": "https://[",
        "deep": {"theme": "dark"},
    }
    index(database, settings, [hero("a", "r1", **sly)])
    page = own_client.get("/components/a%2Cb").text
    links = re.findall(r'<dd><a href="([^"]*)" rel="noopener noreferrer">', page)
    assert [html.unescape(each) for each in links] == [ENTRY]
    assert "<bdi>javascript:alert(1)</bdi>" in page
    assert "<bdi>deep › theme</bdi>" in page


@pytest.mark.parametrize(("buckets", "partition"), [(None, "a%252Cb"), (8, r"bucket-\d{5}-of-8")])
def test_dagster_shows_the_components_partition(
    database: Database, settings: Settings, buckets: int | None, partition: str
) -> None:
    index(database, settings, [hero("a", "r1")])
    there = settings.model_copy(
        update={
            "dagster_url": "http://dagster.test/",
            "refresh": settings.refresh.model_copy(update={"partition_buckets": buckets}),
        }
    )
    page = TestClient(create_app(database, there)).get("/components/a%2Cb").text
    for asset in ("component_bundle", "component_embedding", "component_index"):
        address = f"http://dagster.test/assets/{asset}?view=partitions&amp;partition="
        assert re.search(f'"{re.escape(address)}{partition}"', page)
    assert "Dagster" not in TestClient(create_app(database, settings)).get("/components/a%2Cb").text


def test_history_shows_screenshots_before_and_after_as_far_as_they_are_kept(
    own_client: TestClient, database: Database, settings: Settings
) -> None:
    for revision in (hero("a", "r1"), hero("b", "r2"), replace(hero("b", "r3"), texts={})):
        index(database, settings, [revision])
    store = BundleStore(settings.bundle_root)
    first, second = (store.put(picture(seed)).sha256 for seed in "ab")
    page = own_client.get("/components/a%2Cb").text
    past = page[page.index('class="history"') :]
    assert re.findall(r"revision <code>(r\d)", past) == ["r3", "r2", "r1"]
    assert re.findall("changed ([a-z, ]+)", past) == ["config", "config, screenshot"]
    assert re.findall('href="/screenshots/([0-9a-f]+)"', past) == [first, second]
    assert own_client.get(f"/screenshots/{first}").status_code == 200
    store.delete(first)
    page = own_client.get("/components/a%2Cb").text
    assert "The one before is no longer kept." in page
    assert f'"/screenshots/{first}"' not in page
    store.put(picture("a"))


def test_a_component_without_bundles_on_record_has_a_page(
    own_client: TestClient, database: Database, settings: Settings
) -> None:
    index(database, settings, [hero("a", "r1")])
    with database.connect() as connection:
        connection.execute("delete from pipeline.bundle")
    page = own_client.get("/components/a%2Cb")
    assert page.status_code == 200
    assert "History" not in page.text


def test_a_failure_stands_beside_what_is_still_indexed(
    own_client: TestClient, database: Database, settings: Settings
) -> None:
    index(database, settings, [hero("a", "r1")])
    with database.connect() as connection:
        failure = Failure("a,b", "download", "download.not_found", "404: gone")
        record_failures(connection, "test", [failure])
    page = own_client.get("/components/a%2Cb").text
    assert "Its newest revision could not be indexed" in page
    assert "404: gone" in page


def test_json_is_set_out_in_lines(client: TestClient) -> None:
    page = html.unescape(client.get("/components/c-1").text)
    assert '{\n  "width": 320\n}' in page


def test_two_to_four_components_are_compared_by_each_encoder(client: TestClient) -> None:
    page = client.get("/compare", params={"id": ["c-1", "c-2", "c-3", "c-1"]})
    assert page.status_code == 200
    assert page.text.count("<article>") == 3
    scores = [float(each) for each in re.findall(r"<td>(-?\d\.\d+)</td>", page.text)]
    assert len(scores) == 3  # a score for each pair
    answer = client.get("/api/search", params={"like": "c-1", "k": 20}).json()
    by_id = {match["component_id"]: match["score"] for match in answer}
    assert scores[:2] == pytest.approx([by_id["c-2"], by_id["c-3"]], abs=1e-3)


@pytest.mark.parametrize(
    ("ids", "status", "reason"),
    [
        ([], 400, "pick 2 to 4 components; 0 were picked"),
        (["c-1", "c-1"], 400, "1 were picked"),
        (["c-1", "c-2", "c-3", "c-4", "c-5"], 400, "5 were picked"),
        (["c-1", "nobody"], 404, "nobody"),
        (["c-1", "a\x00b"], 404, "no searchable component"),
    ],
)
def test_what_cannot_be_compared_says_why(
    client: TestClient, ids: list[str], status: int, reason: str
) -> None:
    page = client.get("/compare", params={"id": ids})
    assert page.status_code == status
    assert reason in page.text


def test_rows_tell_what_differs() -> None:
    same, other, missing = rows([{"a": "1", "b": "2"}, {"a": "1", "b": "3", "c": ""}])
    assert (same.name, same.differs) == ("a", False)
    assert (other.values, other.differs) == (("2", "3"), True)
    assert (missing.values, missing.differs) == ((None, ""), True)
