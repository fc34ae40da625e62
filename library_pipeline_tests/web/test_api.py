"""The JSON twin: the same answers for programs, and errors they can read."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from library_pipeline_tests.support.samples import SAMPLES, SLASHED
from tools.testing.bundles import picture


def test_a_match_says_all_there_is_to_know(client: TestClient) -> None:
    [match] = client.get("/api/search", params={"like": "c-0", "k": 1, "client": "south"}).json()
    assert match["component_id"] in ("c-4", "c-5")
    assert match["client"] == "south"
    assert -1 <= match["score"] <= 1
    assert match["scores"] == {"clip": match["score"]}
    assert client.get(match["screenshot_url"]).status_code == 200
    assert client.get(match["url"]).status_code == 200


def test_texts_components_and_pictures_are_ranked_best_first(client: TestClient) -> None:
    answers = (
        client.get("/api/search", params={"text": "a card"}),
        client.get("/api/search", params={"like": SLASHED}),
        client.post("/api/search", files={"picture": picture("c-2")}, data={"k": "100"}),
    )
    for answer, count in zip(answers, (len(SAMPLES), len(SAMPLES) - 1, len(SAMPLES)), strict=True):
        scores = [match["score"] for match in answer.json()]
        assert scores == sorted(scores, reverse=True)
        assert len(scores) == count
    best = answers[-1].json()[0]
    assert best["component_id"] == "c-2"
    assert best["score"] > 0.999


def test_a_pictures_parameters_may_be_in_the_query(client: TestClient) -> None:
    query = "k=2&client=north&weight=clip:0.6"
    answer = client.post(f"/api/search?{query}", files={"picture": picture("c-2")})
    assert [match["client"] for match in answer.json()] == ["north", "north"]
    weighed = {"picture": picture("c-2")}, {"weight": "dino:1"}
    assert client.post("/api/search", files=weighed[0], data=weighed[1]).status_code == 400


@pytest.mark.parametrize(
    ("query", "status", "reason"),
    [
        ("", 400, "at least one of: text, like"),
        ("text=%20", 400, "at least one of: text, like"),
        ("text=a&attribute=dark", 400, "attribute: the attribute 'dark' is not NAME=VALUE"),
        ("text=a&least_score=2", 400, "least_score: "),
        ("text=a&page=0", 400, "page: "),
        ("text=a&not_like=nobody", 404, "'nobody'"),
        ("like=nobody", 404, "'nobody'"),
        ("like=%00", 400, "U+0000"),
        ("text=a&client=%00", 400, "client: "),
        ("text=a&k=0", 400, "k: "),
        ("text=a&k=101", 400, "k: "),
        (f"text={'x' * 501}", 400, "text: "),
        ("text=a&weight=clip:much", 400, "weight: the weight 'clip:much' is not NAME=NUMBER"),
        ("text=a&weight=clip:1,clip:2", 400, "weight: the weight of clip is given twice"),
        ("text=a&weight=clip:1&weight=dino:1", 400, "no encoder called dino is active"),
        ("text=a&weight=clip:0", 400, "the weight of clip is 0.0; it must be more than 0"),
    ],
)
def test_a_question_that_cannot_be_asked_says_why(client, query, status, reason) -> None:
    answer = client.get(f"/api/search?{query}")
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert reason in answer.json()["error"]


def test_an_empty_library_says_what_to_do(own_client: TestClient) -> None:
    answer = own_client.get("/api/search?text=hero")
    assert answer.status_code == 409
    assert "library-pipeline refresh" in answer.json()["error"]


def test_what_is_not_there_is_json_too(client: TestClient) -> None:
    for answer in (client.get("/api/nothing"), client.delete("/api/search")):
        assert answer.status_code in (404, 405)
        assert answer.json()["error"]


def test_the_schema_names_the_answer(client: TestClient) -> None:
    paths = client.get("/api/openapi.json").json()["paths"]
    assert list(paths) == [
        "/api/search",
        "/api/facets",
        "/api/components/{component_id}/similar",
        "/api/components/{component_id}/files/{kind}",
        "/api/components/{component_id}",
        "/api/duplicates",
        "/api/atlas",
        "/api/refreshes/events",
        "/api/refreshes/{refresh_id}/events",
        "/api/refreshes",
        "/api/failures/retry",
        "/api/failures",
        "/api/refreshes/{refresh_id}/cancel",
        "/api/refreshes/{refresh_id}/retry",
        "/api/refreshes/{refresh_id}",
        "/api/webhooks/{source}",
    ]


def test_facets_say_what_the_filters_leave(client: TestClient) -> None:
    facets = client.get("/api/facets", params={"client": "south"}).json()
    assert facets["components"] == 2
    assert {each["value"]: each["components"] for each in facets["client"]}["south"] == 2
    assert {each["value"]: each["components"] for each in facets["category"]} == {"card": 2}
    assert facets["tag"] == facets["attribute"] == []
    assert client.get("/api/facets?attribute=dark").status_code == 400
