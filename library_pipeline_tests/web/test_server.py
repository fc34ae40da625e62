"""The server as a whole: headers on everything, health, errors without secrets, `serve` itself."""

from __future__ import annotations

import re
import signal

import httpx
import psycopg
import pytest
from fastapi.testclient import TestClient

from library_pipeline.database.connection import Database
from library_pipeline.settings import Settings
from library_pipeline.web.rendering import FOLDER
from library_pipeline.web.service import create_app
from tools.testing.served import serve_process

EVERYWHERE = ("/", "/healthz", "/failures", "/nowhere", "/?k=0", "/static/page.css", "/api/search")


@pytest.mark.parametrize("address", EVERYWHERE)
def test_every_answer_forbids_what_is_not_its_own(client: TestClient, address: str) -> None:
    headers = client.get(address).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


def test_pages_need_nothing_that_the_policy_forbids_or_that_is_elsewhere() -> None:
    """An inline style or script would be blocked without a word; a CDN would need a network."""
    for path in (FOLDER / "templates").iterdir():
        text = path.read_text()
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src)|\|\s*safe", text), path
        assert not re.search(r"(href|src)=\"(https?:)?//", text), path
    assert "@import" not in (FOLDER / "static/page.css").read_text()
    assert "url(" not in (FOLDER / "static/page.css").read_text()


def test_health_needs_no_database(settings: Settings) -> None:
    client = TestClient(create_app(Database("host=/nowhere", ""), settings))
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.head("/healthz").status_code == 200


def test_a_database_that_is_gone_is_a_503_without_its_address(settings: Settings) -> None:
    client = TestClient(create_app(Database("host=/nowhere password=geheim", ""), settings))
    for address in ("/", "/api/search?text=a"):
        answer = client.get(address)
        assert answer.status_code == 503
        assert "database does not answer" in answer.text
        assert "nowhere" not in answer.text
        assert "geheim" not in answer.text


def test_a_bug_shows_no_traceback_and_keeps_the_headers(
    own_client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise psycopg.ProgrammingError("relation geheim does not exist")

    monkeypatch.setattr("library_pipeline.web.search_views.newest_components", broken)
    answer = own_client.get("/")
    assert answer.status_code == 500
    assert "geheim" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_serve_answers_where_it_says_and_ends_when_told(
    database: Database, settings: Settings
) -> None:
    variables = {"LIBRARY_ENCODER_MODEL": settings.encoder.model}
    with serve_process(variables) as (process, port):
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line == f"search page: http://127.0.0.1:{port}/\n"
        page = httpx.get(line.split()[-1], trust_env=False)
        assert "Nothing is indexed yet" in page.text
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0
