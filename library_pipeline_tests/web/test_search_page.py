"""The search page: every way to ask, and what a person sees when it cannot be answered."""

from __future__ import annotations

import html
import re
import shutil
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from fastapi.testclient import TestClient

from library_pipeline.catalog.component import partition_key
from library_pipeline.catalog.errors import Failure
from library_pipeline.database.connection import Database
from library_pipeline.refresh.outcomes import record_failures
from library_pipeline.settings import EncoderSettings, Settings
from library_pipeline.web.links import component_url, like_url
from library_pipeline.web.service import create_app
from library_pipeline_tests.support.asgi import request
from library_pipeline_tests.support.checkpoints import CENTRE_CROP, write_checkpoint
from library_pipeline_tests.support.samples import PARENT, SAMPLES, SCRIPT, SLASHED
from tools.testing.bundles import picture
from tools.testing.indexing import index


def shown(page: str) -> list[str]:
    """Return the addresses of the components on a page, in their order."""
    return [html.unescape(link) for link in re.findall(r'class="look" href="([^"]*)"', page)]


def test_without_a_question_the_page_shows_components_and_counts(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert len(shown(page.text)) == len(SAMPLES)
    assert "Newest components" in page.text
    assert f"<b>{len(SAMPLES)}</b> searchable" in page.text
    assert "<b>0</b> failed" in page.text


def test_a_text_ranks_the_library_and_shows_scores(client: TestClient) -> None:
    page = client.get("/", params={"text": "a <b>hero</b>", "k": 3})
    assert len(shown(page.text)) == 3
    assert page.text.count('class="score"') == 3
    assert "a &lt;b&gt;hero&lt;/b&gt;" in page.text
    assert "<b>hero</b>" not in page.text


def test_like_leaves_the_component_itself_out_of_its_results(client: TestClient) -> None:
    page = client.get("/", params={"like": "c-1"})
    first, *results = shown(page.text)
    assert first == component_url("c-1")  # the question, beside its answers
    assert len(results) == len(SAMPLES) - 1
    assert component_url("c-1") not in results


@pytest.mark.parametrize("component_id", [sample.component_id for sample in SAMPLES])
def test_the_links_that_dagster_shows_lead_to_the_component(
    client: TestClient, component_id: str
) -> None:
    page = client.get(f"/?like={partition_key(component_id)}")
    assert page.status_code == 200
    assert shown(page.text)[0] == component_url(component_id)
    assert client.get(like_url(component_id)).text == page.text


def test_a_client_narrows_every_kind_of_question(client: TestClient) -> None:
    south = {component_url("c-4"), component_url("c-5")}
    for question in ({}, {"text": "card"}, {"like": "jpeg"}):
        page = client.get("/", params={**question, "client": "south"})
        results = shown(page.text)[1 if "like" in question else 0 :]
        assert set(results) == south
    page = client.post("/search", files={"picture": picture("c-0")}, data={"client": "south"})
    assert set(shown(page.text)) == south
    assert re.search(r'name="client" value="south" form="ask" checked', page.text)


def test_a_client_nobody_has_says_so_and_shows_the_way_back(client: TestClient) -> None:
    page = client.get("/", params={"text": "card", "client": "west"})
    assert page.status_code == 200
    assert "Look without filters" in page.text


def test_a_picture_finds_its_own_component_first_and_is_shown(client: TestClient) -> None:
    page = client.post("/search", files={"picture": ("shot.png", picture("c-3"), "image/png")})
    assert page.status_code == 200
    assert shown(page.text)[0] == component_url("c-3")
    assert "data:image/webp;base64," in page.text
    assert "shot.png" in page.text


def test_a_text_and_components_are_asked_together_each_with_its_weight(client: TestClient) -> None:
    question = {"text": "card", "text_weight": 2, "like": "c-1", "not_like": ["c-2", "c-3"]}
    page = client.get("/", params=question)
    assert "Most like all of these" in page.text
    parts = re.findall(
        r'<li class="(\w+)"><span>\w+</span> <bdi>.*?</bdi> <small>× (.*?)</small>', page.text
    )
    assert parts == [("text", "2"), ("like", "1"), ("unlike", "0.5"), ("unlike", "0.5")]
    examples = {component_url(f"c-{number}") for number in (1, 2, 3)}
    assert set(shown(page.text)[1:]).isdisjoint(examples)
    # Each can be taken back.
    assert "/?text=card&amp;like=c-1&amp;not_like=c-3&amp;text_weight=2.0" in page.text


def test_an_unknown_component_is_a_404_that_names_it(client: TestClient) -> None:
    for unknown in ("nobody", "a\x00b"):
        page = client.get("/", params={"like": unknown})
        assert page.status_code in (400, 404)
        assert 'role="alert"' in page.text
    assert "&#39;nobody&#39;" in client.get("/", params={"like": "nobody"}).text


@pytest.mark.parametrize(
    ("query", "named"),
    [("k=0", "k: "), ("k=101", "k: "), ("k=many", "k: "), (f"text={'x' * 501}", "text: ")],
)
def test_a_question_out_of_its_limits_is_refused_by_name(
    client: TestClient, query: str, named: str
) -> None:
    page = client.get(f"/?{query}")
    assert page.status_code == 400
    assert named in page.text


def test_names_from_the_cms_are_text_and_nothing_else(client: TestClient) -> None:
    for address in ("/", "/?like=evil", "/?text=card", "/components/evil", "/components/c-1"):
        page = client.get(address).text
        assert "&lt;script&gt;alert(1)" in page
        assert SCRIPT not in page
        assert "{{ 7 * 7 }}" in page  # nor is it a template
        assert "<img src=x" not in page
        assert "'onmouseover='" not in page


def test_a_component_page_shows_its_files_as_text(client: TestClient) -> None:
    page = client.get("/components/evil")
    assert "&lt;h1&gt;&lt;script&gt;" in page.text
    assert "&lt;b&gt;tag&lt;/b&gt;" in page.text
    assert re.findall("<script[^>]*>", page.text) == [
        '<script src="/static/vendor/htmx-2.0.11.min.js" defer>',
        '<script src="/static/page.js" defer>',
    ]
    assert len(shown(page.text)) == 8


@pytest.mark.parametrize("component_id", [SLASHED, PARENT, "c-1"])
def test_any_id_has_a_page(client: TestClient, component_id: str) -> None:
    page = request(client.app, "GET", component_url(component_id))
    assert page.status_code == 200
    assert html.escape(component_id).replace("&#x27;", "&#39;") in page.text


def test_a_slash_in_an_id_may_come_unescaped(client: TestClient) -> None:
    page = request(client.app, "GET", "/components/" + quote(SLASHED, safe="/"))
    assert page.status_code == 200


def test_an_empty_library_says_what_to_do(own_client: TestClient) -> None:
    page = own_client.get("/")
    assert page.status_code == 200
    assert "library-pipeline refresh" in page.text
    asked = own_client.get("/?" + urlencode({"text": "hero"}))
    assert asked.status_code == 409
    assert "library-pipeline refresh" in asked.text
    assert 'value="hero"' in asked.text


def test_failures_are_listed_with_their_reasons(
    own_client: TestClient, database: Database, settings: Settings
) -> None:
    index(database, settings, SAMPLES[:2])
    assert "up to date" in own_client.get("/failures").text
    with database.connect() as connection:
        failure = Failure("c-0", "download", "download.not_found", f"404: {SCRIPT}")
        record_failures(connection, "test", [failure])
    page = own_client.get("/failures").text
    assert "download.not_found" in page
    assert f"404: {html.escape(SCRIPT)}" in page
    assert component_url("c-0") in page
    assert "<b>1</b> failed" in own_client.get("/").text


def test_a_component_page_does_without_a_model_that_is_gone(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    model = write_checkpoint(tmp_path / "gone", CENTRE_CROP)
    gone = settings.model_copy(update={"encoder": EncoderSettings(model=str(model), device="cpu")})
    index(database, gone, SAMPLES[:3])
    shutil.rmtree(model)
    client = TestClient(create_app(database, gone))
    page = client.get("/components/c-1")
    assert page.status_code == 200
    assert component_url("c-0") in page.text
    asked = client.get("/?text=hero")
    assert asked.status_code == 503
    assert str(model) in asked.text
    assert "library-pipeline reembed" in asked.text


def test_search_goes_by_what_the_index_was_made_with_whatever_is_configured(
    library: Database, settings: Settings
) -> None:
    other = settings.model_copy(update={"encoder": EncoderSettings(model="no/such folder")})
    assert TestClient(create_app(library, other)).get("/?text=hero").status_code == 200
