"""Pictures from strangers: wrong, empty, huge, and huge without saying so."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from library_pipeline.web.links import component_url
from library_pipeline_tests.support.asgi import request
from library_pipeline_tests.support.pictures import drawn, encoded

MAX_PICTURE_BYTES = 20 * 2**20
PAGES = ("/search", "/api/search")


@pytest.mark.parametrize("address", PAGES)
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<html><script>alert(1)</script></html>", "shot.png: not an image (this is HTML)"),
        (b"<svg onload='alert(1)'/>", "shot.png: not an image (this is SVG)"),
        (b"", "shot.png: 0 bytes"),
        (b"BM" + bytes(60), "BMP is not supported"),
        (encoded(drawn((300, 200)))[:400], "incomplete or damaged"),
    ],
)
def test_what_is_no_picture_is_refused_with_the_reason(
    client: TestClient, address: str, data: bytes, reason: str
) -> None:
    refused = client.post(address, files={"picture": ("shot.png", data, "image/png")})
    assert refused.status_code == 400
    assert reason in refused.text
    assert "<script>alert" not in refused.text


def test_a_file_name_is_shown_as_text(client: TestClient) -> None:
    name = "<img src=x onerror=alert(1)>.png"
    refused = client.post("/search", files={"picture": (name, b"x", "image/png")})
    assert refused.status_code == 400
    assert "&lt;img src=x" in refused.text


@pytest.mark.parametrize("address", PAGES)
def test_a_picture_over_the_limit_is_refused(client: TestClient, address: str) -> None:
    data = bytes(MAX_PICTURE_BYTES + 1)
    refused = client.post(address, files={"picture": ("shot.png", data, "image/png")})
    assert refused.status_code == 413
    assert "20 MB" in refused.text


def test_a_body_without_a_length_is_cut_off_while_it_streams(client: TestClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'--b\r\nContent-Disposition: form-data; name="picture"; filename="p.png"\r\n\r\n'
        while sent < 10 * MAX_PICTURE_BYTES:
            sent += 1 << 20
            yield bytes(1 << 20)

    headers = {"content-type": "multipart/form-data; boundary=b"}
    refused = request(client.app, "POST", "/api/search", body=endless(), headers=headers)
    assert refused.status_code == 413
    assert sent <= MAX_PICTURE_BYTES + (2 << 20)


def test_a_form_without_a_picture_says_what_to_send(client: TestClient) -> None:
    bodies = (
        {"data": {"client": "north"}},
        {"data": {"picture": "text"}},
        {"files": {"picture": ("", b"", "application/octet-stream")}},
        {"content": b"{}", "headers": {"content-type": "application/json"}},
    )
    for body in bodies:
        refused = client.post("/api/search", **body)
        assert refused.status_code == 400, body
        assert "picture" in refused.json()["error"]


def test_a_broken_form_is_refused(client: TestClient) -> None:
    for headers in (
        {"content-type": "multipart/form-data"},
        {"content-type": "multipart/form-data; boundary=b"},
    ):
        refused = client.post("/search", content=b"--x\r\nnonsense", headers=headers)
        assert refused.status_code == 400


def test_a_flood_of_fields_is_refused(client: TestClient) -> None:
    fields = {f"field-{number}": "x" for number in range(100)}
    refused = client.post("/api/search", data=fields, files={"picture": b"x"})
    assert refused.status_code == 400


def test_a_picture_of_too_many_pixels_is_refused_unread(client: TestClient) -> None:
    bomb = encoded(Image.new("1", (9000, 9000)))
    refused = client.post("/search", files={"picture": ("bomb.png", bomb, "image/png")})
    assert refused.status_code == 400
    assert "81,000,000 pixels" in refused.text


def test_reloading_a_pictures_results_shows_the_rest_of_the_question(client: TestClient) -> None:
    answer = client.get("/search?client=south")
    assert answer.status_code == 200
    assert "Newest components" in answer.text
    assert component_url("c-4") in answer.text
    assert component_url("c-1") not in answer.text
