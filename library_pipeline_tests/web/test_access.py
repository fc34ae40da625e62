"""Who may ask: keys, sessions, names of the service, pages from elsewhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from library_pipeline.database.connection import Database
from library_pipeline.settings import Settings, SettingsError, WebSettings
from library_pipeline.settings.source_keys import Secret
from library_pipeline.web.access import COOKIE, SESSION_SECONDS, Keys, read_keys
from library_pipeline.web.hosts import hosts, is_loopback
from library_pipeline.web.service import create_app, serve
from library_pipeline_tests.support.samples import SAMPLES
from tools.testing.bundles import picture

KEY = "kluftenstein-0123456789"
OTHER = "zweitschlüssel-0123456789"
CLOSED = (
    "/",
    "/failures",
    "/api/search?like=c-0",
    "/api/openapi.json",
    "/nowhere",
    "/components/c-0",
)
STUDIO = "https://studio.example.com"


@pytest.fixture
def keyed(library: Database, settings: Settings, tmp_path: Path) -> Iterator[TestClient]:
    path = tmp_path / "keys"
    path.write_text(f"# the studio\n{KEY}\n\n{OTHER}\n", encoding="utf-8")
    web = WebSettings(api_keys=Secret(secret_file=path), cors_origins=(STUDIO + "/",))
    yield asking(library, settings, web, listening="127.0.0.1")


def asking(
    library: Database, settings: Settings, web: WebSettings, listening: str | None = None
) -> TestClient:
    app = create_app(library, settings.model_copy(update={"web": web}), listening=listening)
    return TestClient(app, base_url="http://localhost:8400", follow_redirects=False)


def signed_in(client: TestClient, next_: str = "/") -> Any:
    return client.post("/sign-in", data={"key": KEY, "next": next_})


@pytest.mark.parametrize("path", CLOSED)
def test_without_a_key_nothing_is_told(keyed: TestClient, path: str) -> None:
    answer = keyed.get(path)
    assert answer.status_code == (401 if path.startswith("/api/") else 303)
    if path.startswith("/api/"):
        assert "Authorization: Bearer KEY" in answer.json()["error"]
        assert answer.headers["www-authenticate"] == "Bearer"
    else:
        assert answer.headers["location"].startswith("/sign-in?next=%2F")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {KEY}"},
        {"X-API-Key": KEY},
        {"X-API-Key": OTHER.encode()},
    ],
)
def test_a_key_opens_the_api(keyed: TestClient, headers: Any) -> None:
    assert keyed.get("/api/search?like=c-0", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": "Bearer"},
        {"X-API-Key": KEY[:-1]},
        {"X-API-Key": KEY + "0"},
        {"X-API-Key": ""},
        {"X-API-Key": "# the studio"},
        {"X-API-Key": b"\xff\xfe"},
        {"Cookie": f"{COOKIE}={KEY}"},
        {"Cookie": f"{COOKIE}=9999999999.{'0' * 64}"},
        {"Cookie": f'{COOKIE}="\\777'},
    ],
)
def test_what_is_no_key(keyed: TestClient, headers: Any) -> None:
    assert keyed.get("/api/search?like=c-0", headers=headers).status_code == 401


def test_what_stays_open_tells_nothing_of_the_library(keyed: TestClient) -> None:
    for path, status in (("/healthz", 200), ("/static/page.css", 200), ("/sign-in", 200)):
        assert keyed.get(path).status_code == status
    lost = keyed.get("/static/nothing")
    assert lost.status_code == 404
    assert "searchable" not in lost.text
    assert keyed.post("/api/webhooks/nobody").status_code == 404


def test_signing_in_leads_back_and_signing_out_ends_it(keyed: TestClient) -> None:
    wanted = keyed.get("/?text=hero&k=3").headers["location"]
    page = keyed.get(wanted)
    assert 'name="next" value="/?text=hero&amp;k=3"' in page.text
    answer = signed_in(keyed, "/?text=hero&k=3")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?text=hero&k=3")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert KEY not in cookie
    front = keyed.get("/")
    assert front.status_code == 200
    assert 'action="/sign-out"' in front.text
    assert keyed.get("/api/search?like=c-0").status_code == 200
    assert keyed.post("/sign-out").headers["location"] == "/sign-in"
    assert keyed.get("/").status_code == 303


def test_over_https_the_cookie_stays_there(keyed: TestClient) -> None:
    answer = keyed.post("https://localhost/sign-in", data={"key": KEY})
    assert "Secure" in answer.headers["set-cookie"]


def test_a_wrong_key_is_refused_and_written_nowhere(
    keyed: TestClient, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = keyed.post("/sign-in", data={"key": "geheim-aber-falsch"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    signed_in(keyed)
    written = capfd.readouterr()
    everything = answer.text + caplog.text + written.out + written.err
    assert "geheim" not in everything
    assert "kluftenstein" not in everything


@pytest.mark.parametrize(
    "next_", ["https://evil.example", "//evil.example", "/\\evil.example", "evil", "/\t/x", "/é"]
)
def test_signing_in_leads_nowhere_else(keyed: TestClient, next_: str) -> None:
    assert signed_in(keyed, next_).headers["location"] == "/"
    assert "evil" not in keyed.get("/sign-in", params={"next": next_}).text


def test_a_session_ends_by_its_time_and_with_its_key() -> None:
    keys = Keys.of([KEY.encode(), OTHER.encode()])
    session = keys.session(KEY.encode(), now=1_000.0)
    assert session is not None
    assert keys.holds(session, 1_000.0 + SESSION_SECONDS - 1)
    assert not keys.holds(session, 1_000.0 + SESSION_SECONDS)
    assert not keys.holds(session.replace("4", "5", 1), 1_000.0)
    assert not Keys.of([OTHER.encode()]).holds(session, 1_000.0)
    assert KEY not in repr(keys)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("short\n", "line 1 of"), (f"{KEY}\nshört\n", "line 2 of"), ("# none\n", "holds no key")],
)
def test_keys_that_are_none_stop_the_service(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "keys"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=reason) as raised:
        read_keys(WebSettings(api_keys=Secret(secret_file=path)))
    assert "sh" not in str(raised.value).replace(str(path), "").replace("openssl", "")


def test_htmx_is_led_to_the_sign_in_page(keyed: TestClient) -> None:
    answer = keyed.get("/?text=a", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer.headers["hx-redirect"].startswith("/sign-in?next=")


# Names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listening", "allowed", "host", "fine"),
    [
        ("127.0.0.1", (), "127.0.0.1:8400", True),
        ("127.0.0.1", (), "LOCALHOST", True),
        ("127.0.0.1", (), "[::1]:8400", True),
        ("127.0.0.1", (), "localhost.evil.example", False),
        ("127.0.0.1", (), "evil.example:8400", False),
        ("127.0.0.1", (), "192.168.0.7", False),
        ("127.0.0.1", (), "localhost@evil.example", False),
        ("127.0.0.1", (), "", False),
        ("192.168.0.7", (), "192.168.0.7:8400", True),
        ("192.168.0.7", (), "192.168.0.8", False),
        ("0.0.0.0", (), "192.168.0.7", True),
        ("::", (), "[fe80::1]:8400", True),
        ("0.0.0.0", (), "evil.example", False),
        ("0.0.0.0", ("search.example.com",), "Search.Example.com.:443", True),
        ("0.0.0.0", ("search.example.com",), "a.search.example.com", False),
        ("0.0.0.0", ("*.example.com",), "search.example.com", True),
        ("0.0.0.0", ("*.example.com",), "evilexample.com", False),
        ("127.0.0.1", ("*",), "anything.example", True),
    ],
)
def test_which_names_are_the_service(listening, allowed, host, fine) -> None:
    assert (host in hosts(listening, allowed)) is fine


def test_a_page_whose_name_leads_here_is_not_answered(keyed: TestClient) -> None:
    """DNS rebinding: the browser thinks that it asks evil.example, and would let its page read."""
    headers = {"Host": "evil.example:8400", "X-API-Key": KEY}
    for path in ("/", "/healthz", "/api/search?like=c-0"):
        answer = keyed.get(path, headers=headers)
        assert answer.status_code == 421
        assert "web.allowed_hosts" in answer.text


@pytest.mark.parametrize(("host", "warned"), [("0.0.0.0", True), ("127.0.0.1", False)])
def test_serving_strangers_without_keys_is_said_loudly(
    database: Database, capfd: pytest.CaptureFixture[str], monkeypatch: Any, host: str, warned: bool
) -> None:
    monkeypatch.setattr("uvicorn.Server.run", lambda _: None)  # it need not answer for this
    serve(host, 8400)
    assert ("without API keys" in capfd.readouterr().err) is warned


def test_what_counts_as_this_machine_alone() -> None:
    assert is_loopback("127.0.0.1") and is_loopback("::1") and is_loopback("localhost")
    assert not (is_loopback("0.0.0.0") or is_loopback("::") or is_loopback("10.0.0.1"))


# Other sites' pages -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:8400"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Origin": "http://localhost:8400"}, True),
        ({"Origin": "https://localhost:8400"}, True),
        ({"Origin": STUDIO, "Sec-Fetch-Site": "cross-site"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3000"}, False),
        ({"Origin": "http://localhost:3000"}, False),
        ({"Origin": "http://localhost"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://localhost:8400.evil.example"}, False),
    ],
)
def test_only_own_pages_and_programs_change_anything(
    library: Database, settings: Settings, headers: dict[str, str], allowed: bool
) -> None:
    client = asking(library, settings, WebSettings(cors_origins=(STUDIO,)))
    for path in ("/search", "/api/search"):
        answer = client.post(path, files={"picture": picture("c-1")}, headers=headers)
        assert answer.status_code == (200 if allowed else 403), path
    assert client.get("/", headers=headers).status_code == 200


def test_signing_somebody_else_in_is_no_other_sites_business(keyed: TestClient) -> None:
    data = {"key": KEY}
    answer = keyed.post("/sign-in", data=data, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_the_origins_in_the_settings_may_read_the_api_and_nothing_else(keyed: TestClient) -> None:
    asks = {"Origin": STUDIO, "Access-Control-Request-Method": "GET"}
    asks["Access-Control-Request-Headers"] = "x-api-key"
    preflight = keyed.options("/api/search", headers=asks)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == STUDIO
    assert "access-control-allow-credentials" not in preflight.headers
    read = keyed.get("/api/search?like=c-0", headers={"Origin": STUDIO, "X-API-Key": KEY})
    assert len(read.json()) == len(SAMPLES) - 1
    assert read.headers["access-control-allow-origin"] == STUDIO
    refused = keyed.get("/api/search?like=c-0", headers={"Origin": STUDIO})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, STUDIO)
    for path, origin in (("/api/search?like=c-0", "https://evil.example"), ("/", STUDIO)):
        answer = keyed.get(path, headers={"Origin": origin, "X-API-Key": KEY})
        assert "access-control-allow-origin" not in answer.headers


def test_without_origins_there_is_no_cors(library: Database, settings: Settings) -> None:
    client = asking(library, settings, WebSettings())
    answer = client.get("/api/search?like=c-0", headers={"Origin": STUDIO})
    assert "access-control-allow-origin" not in answer.headers


def test_a_session_is_checked_quickly() -> None:
    keys = Keys.of([f"{KEY}-{number}".encode() for number in range(20)])
    started = time.perf_counter()
    for _ in range(100):
        keys.accept(b"wrong")
    assert time.perf_counter() - started < 0.5
