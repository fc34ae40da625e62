"""Bodies and parameters by those who mean harm, sent to the service as it is really served."""

from __future__ import annotations

import socket
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import get_args

import httpx
import psutil
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from library_pipeline.database.connection import Database
from library_pipeline.settings import Settings
from library_pipeline.web import uploads
from library_pipeline.web.questions import SEVERAL, SearchTerms
from library_pipeline_tests.support.asgi import request
from library_pipeline_tests.support.pictures import drawn, encoded
from library_pipeline_tests.support.samples import SAMPLES
from tools.testing.bundles import picture
from tools.testing.served import serve_process

MEGABYTE = 2**20
PART = b'--b\r\nContent-Disposition: form-data; name="picture"; filename="p.png"\r\n\r\n'
FORM = (
    "POST /api/search HTTP/1.1\r\nHost: localhost\r\n"
    "Content-Type: multipart/form-data; boundary=b\r\n"
)


@dataclass(frozen=True)
class Served:
    port: int
    process: psutil.Process

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def memory(self) -> int:
        return self.process.memory_info().rss


@pytest.fixture(scope="module")
def served(library: Database, settings: Settings) -> Iterator[Served]:
    """The service over the samples, in a process of its own, its model loaded."""
    variables = {
        "LIBRARY_HOME": str(settings.home),
        "LIBRARY_DATABASE_URL": library.url,
        "LIBRARY_DAGSTER_DATABASE_URL": library.dagster_url,
        "LIBRARY_ENCODER_MODEL": settings.encoder.model,
        "LIBRARY_ENCODER_DEVICE": "cpu",
    }
    with serve_process(variables) as (process, port):
        assert process.stdout is not None
        assert process.stdout.readline()
        found = Served(port, psutil.Process(process.pid))
        sent = {"picture": ("p.png", picture("c-1"), "image/png")}
        answer = httpx.post(f"{found.address}/api/search", files=sent, timeout=120)
        assert answer.json()[0]["component_id"] == "c-1"
        yield found


def text_bomb() -> bytes:
    """A PNG of 8 x 8 pixels that says 200 MB in a compressed text."""
    whole = encoded(Image.new("RGB", (8, 8)))
    chunk = b"zTXtx\x00\x00" + zlib.compress(bytes(200 * MEGABYTE), 9)
    framed = (len(chunk) - 4).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    return whole[:33] + framed + whole[33:]  # after the header


def animation() -> bytes:
    file = BytesIO()
    frames = [drawn((40, 30), seed=number) for number in range(3)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


PICTURES = {
    "pixel bomb": encoded(Image.new("1", (9000, 9000))),
    "text bomb": text_bomb(),
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "html": b"<html><script>alert(1)</script></html>",
    "animation": animation(),
    "truncated": encoded(drawn((300, 200)), "JPEG")[:900],
    "png head alone": encoded(drawn((300, 200)))[:40],
    "noise": bytes(range(256)) * 64,
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_that_means_harm_is_refused(served: Served, name: str) -> None:
    sent = {"picture": ("shot.png", PICTURES[name], "image/png")}
    before, started = served.memory(), time.monotonic()
    answer = httpx.post(f"{served.address}/api/search", files=sent, timeout=30)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert time.monotonic() - started < 20
    assert served.memory() - before < 100 * MEGABYTE


@pytest.mark.parametrize("announced", [True, False], ids=["a length of 1 GB", "chunked"])
def test_an_endless_body_is_refused_early_and_not_kept(served: Served, announced: bool) -> None:
    before = served.memory()
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as connection:
        how = f"Content-Length: {2**30}" if announced else "Transfer-Encoding: chunked"
        connection.sendall(f"{FORM}{how}\r\n\r\n".encode())
        sent = flooded(connection, chunked=not announced)
        answer = received(connection)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert sent < 64 * MEGABYTE
    assert served.memory() - before < 60 * MEGABYTE


def flooded(connection: socket.socket, *, chunked: bool) -> int:
    """Send for as long as it is taken, at most 1 GB, and return how many bytes that were."""
    block = bytes(256 * 1024)
    frame = b"%x\r\n%b\r\n"
    begun = frame % (len(PART), PART) if chunked else PART
    sent = connection.send(begun)
    connection.settimeout(2)
    try:
        while sent < 2**30:
            connection.sendall(frame % (len(block), block) if chunked else block)
            sent += len(block)
    except OSError:  # it has closed, or reads no more
        pass
    return sent


def received(connection: socket.socket) -> bytes:
    connection.settimeout(10)
    answer = b""
    try:
        while part := connection.recv(65536):
            answer += part
    except OSError:
        pass
    return answer


def test_thousands_of_fields_are_refused(served: Served) -> None:
    files = [(f"field-{number}", (None, "x")) for number in range(5_000)]
    answer = httpx.post(f"{served.address}/api/search", files=files, timeout=30)
    assert answer.status_code == 400


def test_many_that_send_slowly_keep_nobody_else_waiting(served: Served) -> None:
    """No thread waits for a body, so who trickles holds a socket and nothing more."""
    slow = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(100)]
    try:
        for connection in slow:
            connection.sendall(f"{FORM}Content-Length: 100000\r\n\r\n--b".encode())
        started = time.monotonic()
        for _ in range(10):
            assert httpx.get(f"{served.address}/api/components/c-1/similar").status_code == 200
        assert time.monotonic() - started < 10
    finally:
        for connection in slow:
            connection.close()


def test_a_body_that_trickles_is_given_up(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "PATIENCE_SECONDS", 0.2)

    async def trickle():
        import asyncio

        yield PART
        for _ in range(1000):
            await asyncio.sleep(0.05)
            yield b"x"

    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = request(client.app, "POST", "/api/search", body=trickle(), headers=headers)
    assert answer.status_code == 408
    assert "32 kB a second" in answer.json()["error"]


# Parameters -------------------------------------------------------------------------------------

NASTY = (
    "\x00",
    "a\x00b",
    "%00",
    "' or 1=1 --",
    "'; drop table pipeline.component; --",
    '"; select pg_sleep(10); --',
    "\\'; select 1; --",
    "$$; select 1; $$",
    "{}",
    "{a,b}",
    "NaN",
    "1e999",
    '"\\u0000"',
    '"\\ud800"',
    '{"\\u0000": 1}',
    "[" * 1_500,
    "\u202e\ufeff\U0001f642",
    "\r\nSet-Cookie: a=b",
    "../../etc/passwd",
    "x" * 3_900,
)
TEXTS = sorted(
    name for name, field in SearchTerms.model_fields.items()
    if name in SEVERAL or str in (field.annotation, *get_args(field.annotation))
)  # fmt: skip


def test_every_parameter_that_takes_text_is_tried() -> None:
    assert {"text", "like", "client", "tag", "attribute", "weight", "crop"} <= set(TEXTS)


@pytest.mark.parametrize("name", [*SearchTerms.model_fields, "id"])
def test_a_parameter_is_a_value_and_never_a_statement(client: TestClient, name: str) -> None:
    asked = 0
    for value in NASTY:
        for query in ({"like": "c-0", name: value}, {"text": "a", name: f"a={value}"}):
            answer = client.get("/api/search", params=query)
            assert answer.status_code in (200, 400, 404), (query, answer.text)
            assert "root:" not in answer.text
            assert "set-cookie" not in answer.headers
            asked += 1
        answer = client.get("/api/components/", params={"id": value})
        assert answer.status_code in (400, 404)
    assert asked == 2 * len(NASTY)
    assert len(client.get("/api/search?text=a&k=100").json()) == len(SAMPLES)


@pytest.mark.parametrize("charset", ["unicode_escape", "utf-7", "utf-16", "punycode", "no-such"])
def test_a_charset_that_writes_half_characters_is_no_way_in(
    client: TestClient, charset: str
) -> None:
    """Starlette decodes a form's fields by the charset that the request names."""
    image = picture("c-1")
    fields = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n\\ud800\r\n' % name.encode()
        for name in TEXTS
    )
    file = PART.replace(b"p.png", b"\\ud800.png") + image
    headers = {"content-type": f"multipart/form-data; boundary=b; charset={charset}"}
    for content in (fields + file, file.replace(image, b"no picture")):
        answer = client.post("/api/search", content=content + b"\r\n--b--\r\n", headers=headers)
        assert answer.status_code in (200, 400, 404), answer.text
        page = client.post("/search", content=content + b"\r\n--b--\r\n", headers=headers)
        assert page.status_code in (200, 400, 404)
