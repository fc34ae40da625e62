"""A CMS's calls: only proven ones count, nothing else of them matters, no secret is ever shown."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from fastapi.testclient import TestClient

from library_pipeline.database.connection import Database
from library_pipeline.settings import CmsSettings, Settings, WebhookSettings
from library_pipeline.settings.source_keys import SourceSettings
from library_pipeline.web.service import create_app
from library_pipeline.web.webhooks import MAX_BODY_BYTES
from library_pipeline_tests.support.asgi import request

SECRET = "hunter2-äöü"
TOKEN = {"X-Webhook-Token": SECRET.encode()}
BODY = b'{"event": "entry.update"}'


def source(name: str, **webhook: object) -> SourceSettings:
    keys = {"webhook": WebhookSettings(**webhook)} if webhook else {}  # type: ignore[arg-type]
    return SourceSettings(name=name, url=f"https://{name}.example.com", **keys)


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n", encoding="utf-8")
    return path


@pytest.fixture
def configured(settings: Settings, secret_file: Path) -> Settings:
    sources = (
        source("plain", secret_env="CALLS_SECRET"),
        source("bearer", secret_env="CALLS_SECRET", header="authorization"),
        source("signed", secret_file=secret_file, kind="hmac-sha256"),
        source("polled"),
    )
    return Settings(home=settings.home, encoder=settings.encoder, sources=sources)


@pytest.fixture
def calling(
    database: Database, configured: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TestClient]:
    """The application; whatever a test does, neither its answers nor its logs hold the secret."""
    monkeypatch.setenv("CALLS_SECRET", SECRET)
    yield TestClient(create_app(database, configured), raise_server_exceptions=False)


@pytest.fixture(autouse=True)
def no_secret_in_logs(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    written = capfd.readouterr()
    assert "hunter2" not in caplog.text + written.out + written.err


def recorded(connection: psycopg.Connection) -> dict[str, int]:
    return dict(connection.execute("select source, calls from pipeline.webhook_call").fetchall())


def signature(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def test_a_proven_call_is_recorded_and_many_are_one_row(
    calling: TestClient, connection: psycopg.Connection
) -> None:
    for _ in range(3):
        answer = calling.post("/api/webhooks/plain", content=BODY, headers=TOKEN)
        assert answer.status_code == 202
        assert answer.json().keys() == {"planned", "source", "called_at"}
        assert answer.json()["planned"] is True
    assert datetime.fromisoformat(answer.json()["called_at"]).tzinfo
    assert recorded(connection) == {"plain": 3}


@pytest.mark.parametrize(
    ("name", "header", "value"),
    [
        ("plain", "x-webhook-token", SECRET),
        ("bearer", "Authorization", f"Bearer {SECRET}"),
        ("bearer", "Authorization", f"bearer  {SECRET}"),
        ("bearer", "Authorization", SECRET),
        ("signed", "X-Hub-Signature-256", f"sha256={signature(BODY)}"),
        ("signed", "X-Hub-Signature-256", signature(BODY).upper()),
    ],
)
def test_what_proves_a_call(calling: TestClient, name: str, header: str, value: str) -> None:
    """Whatever the body says or claims to be: it is not looked into."""
    headers = {header: value.encode(), "Content-Type": "application/json"}
    assert calling.post(f"/api/webhooks/{name}", content=BODY, headers=headers).is_success


@pytest.mark.parametrize(
    ("name", "header", "value", "reason"),
    [
        ("plain", "X-Other", SECRET, "the header X-Webhook-Token is missing; it must hold the"),
        ("plain", "X-Webhook-Token", "hunter", "the header X-Webhook-Token does not match"),
        ("plain", "X-Webhook-Token", "", "does not match"),
        ("plain", "X-Webhook-Token", f"Bearer {SECRET}", "does not match"),
        ("plain", "X-Webhook-Token", "€", "does not match"),
        ("bearer", "Authorization", f"Basic {SECRET}", "the header authorization does not match"),
        ("signed", "X-Webhook-Token", SECRET, "the header X-Hub-Signature-256 is missing; it must"),
        ("signed", "X-Hub-Signature-256", SECRET, "does not match"),
        ("signed", "X-Hub-Signature-256", f"sha256={signature(BODY + b' ')}", "does not match"),
        ("signed", "X-Hub-Signature-256", f"sha256={signature(BODY, '')}", "does not match"),
        ("signed", "X-Hub-Signature-256", f"sha1={signature(BODY)}", "does not match"),
    ],
)
def test_what_proves_nothing(
    calling: TestClient,
    connection: psycopg.Connection,
    name: str,
    header: str,
    value: str,
    reason: str,
) -> None:
    headers = {header: value.encode()}
    answer = calling.post(f"/api/webhooks/{name}", content=BODY, headers=headers)
    assert answer.status_code == 401
    assert reason in answer.json()["error"]
    assert "hunter" not in answer.text
    assert recorded(connection) == {}


def test_a_source_without_a_webhook_looks_like_none(calling: TestClient) -> None:
    """Whoever asks around learns no names."""
    polled, nobody, cms = (
        calling.post(f"/api/webhooks/{name}", headers=TOKEN) for name in ("polled", "no%00", "cms")
    )
    assert polled.status_code == nobody.status_code == cms.status_code == 404
    assert polled.json() == nobody.json() == cms.json()


def test_the_section_cms_has_a_webhook_of_its_own(
    database: Database, settings: Settings, connection: psycopg.Connection, secret_file: Path
) -> None:
    cms = CmsSettings(
        base_url="https://cms.example.com", webhook=WebhookSettings(secret_file=secret_file)
    )
    app = create_app(database, Settings(home=settings.home, encoder=settings.encoder, cms=cms))
    assert TestClient(app).post("/api/webhooks/cms", headers=TOKEN).status_code == 202
    assert recorded(connection) == {"cms": 1}


def test_a_huge_body_is_refused_while_it_comes_in(
    calling: TestClient, connection: psycopg.Connection
) -> None:
    """A body that announces no length must not be kept whole before it is found too large."""
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while read < 100 * MAX_BODY_BYTES:
            read += 2**16
            yield bytes(2**16)

    address = "/api/webhooks/plain"
    headers = {"X-Webhook-Token": SECRET.encode()}
    streamed = request(calling.app, "POST", address, body=endless(), headers=headers)  # type: ignore[arg-type]
    announced = calling.post(address, content=bytes(MAX_BODY_BYTES + 1), headers=headers)
    assert streamed.status_code == announced.status_code == 413
    assert read <= MAX_BODY_BYTES + 2**17
    assert recorded(connection) == {}
    assert calling.post(address, content=bytes(MAX_BODY_BYTES), headers=headers).is_success


def test_a_secret_is_read_at_each_call_and_named_where_it_is_missing(
    calling: TestClient, secret_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rotated secret needs no restart where it is in a file."""
    headers = {"X-Hub-Signature-256": signature(b"", "rotated")}
    assert calling.post("/api/webhooks/signed", headers=headers).status_code == 401
    secret_file.write_text("rotated\r\n")
    assert calling.post("/api/webhooks/signed", headers=headers).status_code == 202
    for content in (b"\n", b"hunter2\xff", None):
        secret_file.unlink() if content is None else secret_file.write_bytes(content)
        answer = calling.post("/api/webhooks/signed", headers=headers)
        assert answer.status_code == 503
        assert str(secret_file) in answer.json()["error"]
        assert "hunter2" not in answer.text
    monkeypatch.setenv("CALLS_SECRET", "")
    answer = calling.post("/api/webhooks/plain", headers={"X-Webhook-Token": ""})
    assert answer.status_code == 503
    assert "the environment variable CALLS_SECRET is not set" in answer.json()["error"]
