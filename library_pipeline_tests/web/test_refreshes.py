"""Refreshes over HTTP: asked for, seen, stopped and repeated; each refusal names the way out."""

from __future__ import annotations

import psycopg
import pytest
from fastapi.testclient import TestClient

from library_pipeline.catalog.errors import Failure
from library_pipeline.catalog.refresh import RefreshRequest, RefreshScope
from library_pipeline.database.connection import Database
from library_pipeline.refresh.closing import stop_refresh
from library_pipeline.refresh.log import create_refresh
from library_pipeline.refresh.outcomes import record_failures
from library_pipeline.refresh.requests import DAEMON_NEEDED, MAX_OPEN, note_sensor, open_requests
from library_pipeline.refresh.staging import load_manifest
from library_pipeline.settings import CmsSettings, Settings
from library_pipeline.web.service import create_app
from tools.testing.indexing import Sample, component_of

DAGSTER = "http://dagster.test:3000/"


@pytest.fixture
def web(database: Database, settings: Settings) -> TestClient:
    configured = Settings(
        home=settings.home,
        encoder=settings.encoder,
        cms=CmsSettings(base_url="https://cms.example.com"),
        dagster_url=DAGSTER,
    )
    return TestClient(
        create_app(database, configured), raise_server_exceptions=False, follow_redirects=False
    )


@pytest.fixture
def ended(connection: psycopg.Connection) -> str:
    """A refresh that has ended, in which c-1 and c-2 failed."""
    with load_manifest(connection) as load:
        load.add(component_of(Sample(f"c-{number}", b"")) for number in range(3))
        load.commit(source="test", etag=None)
    create_refresh(connection, RefreshRequest("r-0", "full", "cli"), run_id="run-0")
    failures = [Failure(f"c-{n}", "download", "download.not_found", "it is gone") for n in (1, 2)]
    record_failures(connection, "r-0", failures)
    stop_refresh(connection, "r-0", "for the test")
    return "r-0"


def test_a_refresh_is_asked_for_and_can_be_seen_at_once(
    web: TestClient, connection: psycopg.Connection
) -> None:
    terms = {"kind": "full", "client": "north", "limit": 5, "force": True, "only": ["a", "b"]}
    answer = web.post("/api/refreshes", json=terms)
    assert answer.status_code == 202
    accepted = answer.json()
    (asked,) = open_requests(connection)
    assert asked.request == RefreshRequest(
        accepted["refresh_id"],
        "full",
        "api",
        RefreshScope("north", None, 5, ("a", "b")),
        force=True,
    )
    assert answer.headers["location"] == accepted["url"]
    seen = web.get(accepted["url"]).json()
    assert (seen["state"], seen["kind"], seen["asked_by"]) == ("waiting", "full", "api")
    assert seen["waits_for"].startswith("Dagster's daemon takes it when it looks next")
    assert seen["failures"] == []
    connection.execute("update pipeline.refresh_request set asked_at = now() - interval '1 min'")
    assert DAEMON_NEEDED in web.get(accepted["url"]).json()["waits_for"]
    assert DAEMON_NEEDED in web.get(accepted["page_url"]).text.replace("&#39;", "'")


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"kind": "other"}, "kind: input should be 'full', 'incremental', 'retry' or 'reembed'"),
        ({"force": True}, "force is for kind full, not incremental"),
        ({"kind": "reembed", "client": "north"}, "a reembed can be narrowed by limit alone"),
        ({"limit": 0}, "limit: input should be greater than or equal to 1"),
        ({"only": ["a\x00"]}, "it must not contain the character NUL"),
        ({"clients": "north"}, "clients: extra inputs are not permitted"),
    ],
)
def test_what_makes_no_sense_is_refused(web: TestClient, terms: object, reason: str) -> None:
    answer = web.post("/api/refreshes", json=terms)
    assert answer.status_code == 400
    assert reason in answer.json()["error"]


def test_the_same_again_too_many_and_no_cms_are_conflicts(
    web: TestClient, connection: psycopg.Connection, database: Database, settings: Settings
) -> None:
    first = web.post("/api/refreshes", json={}).json()
    again = web.post("/api/refreshes", json={"kind": "incremental"})
    assert again.status_code == 409
    assert first["url"] in again.json()["error"]
    nothing = web.post("/api/refreshes", json={"kind": "retry"})
    assert (nothing.status_code, "no component has failed" in nothing.text) == (409, True)
    connection.execute(
        """insert into pipeline.refresh_request (refresh_id, kind, scope, asked_by)
           select 'x' || n, 'full', jsonb_build_object('limit', n), 'api'
           from generate_series(1, %s) n""",
        (MAX_OPEN,),
    )
    full = web.post("/api/refreshes", json={"kind": "reembed"})
    assert (full.status_code, "cancel some" in full.text) == (409, True)
    bare = TestClient(create_app(database, settings))
    assert "set cms.base_url" in bare.post("/api/refreshes", json={}).json()["error"]


def test_what_waits_and_what_runs_is_cancelled_and_what_is_over_is_not(
    web: TestClient, connection: psycopg.Connection, ended: str
) -> None:
    address = web.post("/api/refreshes", json={}).json()["url"]
    answer = web.post(f"{address}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")
    over = web.post(f"{address}/cancel")
    assert (over.status_code, "has ended" in over.json()["error"]) == (409, True)
    create_refresh(connection, RefreshRequest("r-1", "full", "cli"))
    assert web.post("/api/refreshes/r-1/cancel").json()["state"] == "planning"
    for method, missing in (("get", ""), ("post", "/cancel"), ("post", "/retry")):
        unknown = getattr(web, method)(f"/api/refreshes/nobody%00{missing}")
        assert (unknown.status_code, "no refresh with the id" in unknown.text) == (404, True)


def test_failures_are_listed_and_tried_again_one_several_or_all(
    web: TestClient, connection: psycopg.Connection, ended: str
) -> None:
    details = web.get(f"/api/refreshes/{ended}").json()
    assert details["runs"] == [{"run_id": "run-0", "url": f"{DAGSTER}runs/run-0"}]
    assert [(item["component_id"], item["phase"], item["reason"]) for item in details["failures"]]\
        == [("c-1", "download", "it is gone"), ("c-2", "download", "it is gone")]  # fmt: skip
    page = web.get("/api/failures?limit=1").json()
    assert [item["component_id"] for item in page["failures"]] == ["c-1"]
    second = web.get(page["next"]).json()
    assert [item["component_id"] for item in second["failures"]] == ["c-2"]
    assert web.post(f"/api/refreshes/{ended}/retry").status_code == 202
    assert web.post("/api/failures/retry", json={"only": ["c-2"]}).status_code == 202
    assert web.post("/api/failures/retry", json={}).status_code == 202
    asked = [(each.request.kind, each.request.scope.only) for each in open_requests(connection)]
    assert asked == [("retry", ("c-1", "c-2")), ("retry", ("c-2",)), ("retry", ())]
    unknown = web.post("/api/failures/retry", json={"only": ["c-0", "c-1"]})
    assert (unknown.status_code, "no open failure: c-0;" in unknown.text) == (404, True)
    connection.execute("delete from pipeline.failure")
    healed = web.post(f"/api/refreshes/{ended}/retry")
    assert (healed.status_code, "refresh r-0 has no open failure" in healed.text) == (409, True)


def test_refreshes_are_listed_newest_first_and_page_by_page(
    web: TestClient, connection: psycopg.Connection
) -> None:
    for number in range(5):
        create_refresh(connection, RefreshRequest(f"r/{number}", "full", "cli"))
    waiting = web.post("/api/refreshes", json={}).json()["refresh_id"]
    page = web.get("/api/refreshes?limit=2").json()
    ids = [item["refresh_id"] for item in page["refreshes"]]
    assert ids == [waiting, "r/4", "r/3"]
    while page["next"]:
        page = web.get(page["next"]).json()
        ids += [item["refresh_id"] for item in page["refreshes"]]
    assert ids[1:] == [f"r/{number}" for number in (4, 3, 2, 1, 0)]
    assert web.get(page["refreshes"][-1]["url"]).json()["refresh_id"] == "r/0"
    assert page["daemon_runs"] is False
    note_sensor(connection)
    assert web.get("/api/refreshes").json()["daemon_runs"] is True


def test_the_pages_work_without_a_script(
    web: TestClient, connection: psycopg.Connection, ended: str
) -> None:
    assert "No refresh has ended" not in web.get("/refreshes").text
    assert web.post("/refreshes", data={"kind": "incremental"}).headers["location"] == "/refreshes"
    (asked,) = open_requests(connection)
    page = web.get("/refreshes").text
    assert "Look for changes" in page and asked.refresh_id in page and "it is gone" in page
    stopped = web.post(f"/refreshes/{asked.refresh_id}/cancel", data={"back": "/refreshes"})
    assert stopped.headers["location"] == "/refreshes"
    assert web.post(f"/refreshes/{ended}/retry").status_code == 303
    assert web.post("/failures/retry", data={"only": "c-1"}).status_code == 303
    assert "Retry" in web.get("/failures").text
    assert web.get("/refreshes/nobody").status_code == 404
