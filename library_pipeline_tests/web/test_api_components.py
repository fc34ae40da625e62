"""Components in the API: any id, all facts, files that are what their digests say."""

from __future__ import annotations

import hashlib

import pytest
from fastapi.testclient import TestClient

from library_pipeline.web.links import facts_url, file_url, similar_url
from library_pipeline_tests.support.asgi import request
from library_pipeline_tests.support.samples import PARENT, SAMPLES, SLASHED


@pytest.mark.parametrize("sample", SAMPLES, ids=range(len(SAMPLES)))
def test_every_component_is_told_whole_and_where_its_files_are(client: TestClient, sample) -> None:
    answer = request(client.app, "GET", facts_url(sample.component_id))
    assert answer.status_code == 200
    facts = answer.json()
    assert facts["component_id"] == sample.component_id
    assert facts["client"] == sample.client
    assert facts["revision"] == "r1"
    assert facts["source"] == "cms"
    picture = request(client.app, "GET", facts["screenshot"]["url"])
    assert hashlib.sha256(picture.content).hexdigest() == facts["screenshot"]["sha256"]
    for kind, file in facts["files"].items():
        text = request(client.app, "GET", file["url"])
        assert hashlib.sha256(text.content).hexdigest() == file["sha256"], kind
    similar = request(client.app, "GET", facts["similar_url"]).json()
    found = {each["component_id"] for each in similar}
    assert found == {each.component_id for each in SAMPLES} - {sample.component_id}


def test_what_the_cms_wrote_is_never_run(client: TestClient) -> None:
    answer = client.get("/api/components/evil/files/format")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    known = client.get(
        "/api/components/evil/files/format", headers={"if-none-match": answer.headers["etag"]}
    )
    assert (known.status_code, known.content) == (304, b"")


def test_look_alikes_are_what_search_finds(client: TestClient) -> None:
    query = "k=2&client=south&weight=clip:0.5&least_score=-1"
    alike = client.get(f"/api/components/c-0/similar?{query}").json()
    assert alike == client.get(f"/api/search?like=c-0&{query}").json()
    assert {each["client"] for each in alike} == {"south"}
    pages = [client.get(f"/api/components/c-0/similar?k=1&page={n}").json() for n in (1, 2)]
    assert [each["rank"] for page in pages for each in page] == [1, 2]


@pytest.mark.parametrize("address", [facts_url, similar_url, lambda of: file_url(of, "config")])
@pytest.mark.parametrize("missing", ["nobody", "nö/bödy", ".", "x/similar", "a/files/config"])
def test_what_is_not_searchable_is_a_404_that_names_it(client, address, missing) -> None:
    answer = request(client.app, "GET", address(missing))
    assert answer.status_code == 404
    assert repr(missing) in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("c-0/similar?k=0", "k: "),
        ("c-0/similar?weight=dino:1", "no encoder called dino is active"),
        ("c-0/similar?client=%00", "client: must not contain the character U+0000"),
        ("a%00b", "id: must not contain the character U+0000"),
        ("c-0/files/passwd", "kind: "),
    ],
)
def test_a_wrong_question_is_a_400(client: TestClient, path: str, reason: str) -> None:
    answer = request(client.app, "GET", f"/api/components/{path}")
    assert answer.status_code == 400
    assert reason in answer.json()["error"]


def test_links_lead_back_whatever_the_id() -> None:
    assert facts_url(SLASHED).count("/") == 3
    assert facts_url(PARENT) == "/api/components/?id=.."
    assert facts_url("x/similar") == "/api/components/?id=x%2Fsimilar"
    assert similar_url(PARENT) == "/api/components//similar?id=.."
