"""What monitors ask: alive, ready, and numbers whose labels nobody outside can multiply."""

from __future__ import annotations

import time

import psycopg
import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from library_pipeline.database.connection import Database
from library_pipeline.refresh.history import vitals
from library_pipeline.settings import EncoderSettings, Settings, WebSettings
from library_pipeline.settings.source_keys import Secret
from library_pipeline.web.service import create_app
from library_pipeline_tests.support.samples import SAMPLES
from tools.testing.bundles import picture
from tools.testing.indexing import index


def numbers(client: TestClient) -> dict[tuple[str, ...], float]:
    """Every sample by its name and its labels' values, in the order of the labels' names."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


@pytest.fixture
def watched(library: Database, settings: Settings) -> TestClient:
    return TestClient(create_app(library, settings), raise_server_exceptions=False)


def test_the_library_is_in_the_numbers(watched: TestClient) -> None:
    found = numbers(watched)
    assert found["library_database_up",] == 1
    assert found["library_components_searchable",] == len(SAMPLES)
    assert found["library_components_listed",] == len(SAMPLES)
    assert found["library_components_failed",] == found["library_components_behind",] == 0
    assert found["library_database_bytes",] > 1_000_000
    assert 0 <= found["library_index_age_seconds",] < 3600
    [coverage] = [v for k, v in found.items() if k[0] == "library_encoder_coverage_ratio"]
    assert coverage == 1


def test_requests_are_counted_by_route_and_never_by_path(watched: TestClient) -> None:
    for path in ("/components/c-0", "/components/c-1", "/nowhere/1", "/nowhere/2", "/static/no"):
        watched.get(path)
    watched.get("/api/components/c-0/similar?k=0")
    watched.request("BREW", "/")
    found = numbers(watched)
    requests = {k[1:]: v for k, v in found.items() if k[0] == "library_http_requests_total"}
    assert requests["GET", "/components/{component_id:path}", "200"] == 2
    assert requests["GET", "none", "404"] == 2
    assert requests["GET", "/static", "404"] == 1
    assert requests["GET", "/api/components/{component_id:path}/similar", "400"] == 1
    assert {key[0] for key in requests} <= {"GET", "other"}
    assert not any("c-0" in str(key) or "nowhere" in str(key) for key in found)


def test_searches_are_timed_by_kind_and_refused_pictures_counted(watched: TestClient) -> None:
    watched.get("/api/components/c-0/similar")
    watched.get("/api/search?text=a")
    watched.post("/api/search", files={"picture": picture("c-1")})
    watched.post("/api/search", files={"picture": picture("c-1")}, data={"text": "a"})
    watched.post("/api/search", files={"picture": b"<svg/>"})
    watched.post("/api/search", files={"picture": picture("c-1")}, data={"k": "0"})
    watched.post("/api/search", data={"k": "1"})
    watched.post("/api/search", files={"picture": bytes(21 * 2**20)})
    found = numbers(watched)
    for kind in ("component", "text", "picture", "several"):
        assert found["library_search_seconds_count", kind] == 1, kind
    refused = {k[1]: v for k, v in found.items() if k[0] == "library_uploads_refused_total"}
    assert refused == dict.fromkeys(
        ("image.not_an_image", "bad_question", "no_picture", "too_large"), 1
    )


def test_two_applications_count_apart(library: Database, settings: Settings) -> None:
    one, other = (TestClient(create_app(library, settings)) for _ in range(2))
    one.get("/healthz")
    assert ("library_http_requests_total", "GET", "/healthz", "200") in numbers(one)
    assert ("library_http_requests_total", "GET", "/healthz", "200") not in numbers(other)


def test_a_storm_of_scrapes_asks_the_database_once(
    watched: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    def counted(connection: psycopg.Connection):
        nonlocal asked
        asked += 1
        return vitals(connection)

    monkeypatch.setattr("library_pipeline.web.metrics.vitals", counted)
    for _ in range(20):
        watched.get("/metrics")
    assert asked == 1


def test_without_a_database_the_numbers_say_so(settings: Settings) -> None:
    client = TestClient(create_app(Database("host=/nowhere", ""), settings))
    found = numbers(client)
    assert found["library_database_up",] == 0
    assert ("library_components_searchable",) not in found


def test_the_numbers_take_a_key_where_there_are_keys(
    library: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYS", "0123456789abcdef")
    web = WebSettings(api_keys=Secret(secret_env="KEYS"))
    client = TestClient(create_app(library, settings.model_copy(update={"web": web})))
    assert client.get("/metrics").status_code == 401
    headers = {"Authorization": "Bearer 0123456789abcdef"}
    assert client.get("/metrics", headers=headers).status_code == 200


def test_refreshes_that_ended_are_in_the_numbers(
    own_client: TestClient, connection: psycopg.Connection
) -> None:
    connection.execute(
        """insert into pipeline.refresh (id, kind, state, asked_by, in_process, total, failed,
                                         started_at, finished_at)
           values ('a', 'full', 'finished', 'cli', true, 9, 1, now() - interval '1 hour',
                   now() - interval '59 minutes'),
                  ('b', 'full', 'failed', 'cli', true, 0, 0, now() - interval '9 seconds', now()),
                  ('c', 'incremental', 'running', 'cli', true, 1, 0, now(), null)"""
    )
    found = numbers(own_client)
    at = found["library_refresh_finished_timestamp_seconds", "full", "failed"]
    assert abs(at - time.time()) < 60
    assert found["library_refresh_duration_seconds", "full"] == pytest.approx(9, abs=0.1)
    assert found["library_refresh_components", "full", "total"] == 0
    assert not any("incremental" in key for key in found)
    assert ("library_index_age_seconds",) not in found


def test_ready_once_the_database_answers_and_names_each_model(watched: TestClient) -> None:
    watched.get("/readyz")
    deadline = time.monotonic() + 30
    while (answer := watched.get("/readyz")).json()["models"] != {"clip": "loaded"}:
        assert answer.json()["models"] == {"clip": "loading"}
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True,
        "database": "up",
        "migrations": "current",
        "models": {"clip": "loaded"},
        "reasons": [],
    }
    assert watched.head("/readyz").status_code == 200


def test_not_ready_without_a_database(settings: Settings) -> None:
    client = TestClient(create_app(Database("host=/nowhere password=geheim", ""), settings))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["the database does not answer"]
    assert client.head("/healthz").status_code == 200


def test_not_ready_before_the_migrations(
    own_client: TestClient, connection: psycopg.Connection
) -> None:
    connection.execute(
        "delete from pipeline.migration where number = (select max(number) from pipeline.migration)"
    )
    answer = own_client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["migrations"] == "pending"
    assert "restart the service" in answer.json()["reasons"][0]


def test_not_ready_with_a_model_that_is_gone(
    database: Database, settings: Settings, tmp_path
) -> None:
    index(database, settings, SAMPLES[:1])
    with database.connect() as connection:
        connection.execute("update pipeline.encoder set model = %s", (str(tmp_path / "gone"),))
    lost = EncoderSettings(model=str(tmp_path / "gone"), device="cpu")
    client = TestClient(create_app(database, settings.model_copy(update={"encoder": lost})))
    deadline = time.monotonic() + 30
    while (answer := client.get("/readyz")).status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert answer.json()["models"]["clip"].startswith("failed: encoder.")
    assert "gone" not in answer.text
