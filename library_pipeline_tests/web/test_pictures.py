"""Screenshots and thumbnails: only what is known, as what it is, cached for good."""

from __future__ import annotations

import hashlib

import pytest
from fastapi.testclient import TestClient

from library_pipeline.bundles.store import BundleStore
from library_pipeline.database.connection import Database
from library_pipeline.settings import Settings
from library_pipeline_tests.support.samples import SAMPLES
from tools.testing.bundles import picture
from tools.testing.indexing import index


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("sample", "type_"), [(SAMPLES[0], "image/png"), (SAMPLES[-1], "image/jpeg")]
)
def test_a_screenshot_is_served_as_it_was_stored(client, sample, type_) -> None:
    answer = client.get(f"/screenshots/{digest(sample.screenshot)}")
    assert answer.status_code == 200
    assert answer.content == sample.screenshot
    assert answer.headers["content-type"] == type_
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in answer.headers["cache-control"]
    assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("kind", ["screenshots", "thumbnails"])
def test_what_the_browser_has_is_not_sent_again(client: TestClient, kind: str) -> None:
    address = f"/{kind}/{digest(picture('c-1'))}"
    first = client.get(address)
    assert first.status_code == 200
    again = client.get(address, headers={"if-none-match": f'"other", W/{first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


def test_a_thumbnail_is_a_small_webp(client: TestClient) -> None:
    answer = client.get(f"/thumbnails/{digest(picture('c-1'))}")
    assert answer.headers["content-type"] == "image/webp"
    assert answer.content[8:12] == b"WEBP"


@pytest.mark.parametrize("kind", ["screenshots", "thumbnails"])
@pytest.mark.parametrize(
    "name",
    [
        "0" * 64,
        "abc",
        digest(picture("c-1")).upper(),
        digest(picture("c-1")) + "%0A",
        "..%2F..%2Fetc%2Fpasswd",
        "%2E%2E/%2E%2E/etc/passwd",
        "x" * 5000,
        "%00",
    ],
)
def test_any_other_name_is_nowhere(client: TestClient, kind: str, name: str) -> None:
    answer = client.get(f"/{kind}/{name}")
    assert answer.status_code == 404
    assert b"root:" not in answer.content


def test_a_file_of_the_store_that_is_no_screenshot_is_not_served(client: TestClient) -> None:
    assert (
        client.get(f"/screenshots/{digest(b'<section>{{ title }}</section>')}").status_code == 404
    )


def test_a_lost_screenshot_is_a_404_and_its_thumbnail_remains(
    own_client: TestClient, database: Database, settings: Settings
) -> None:
    index(database, settings, [SAMPLES[0].__class__("lost", picture("lost"))])
    lost = digest(picture("lost"))
    place = BundleStore(settings.bundle_root).url(lost)
    with open(place, "wb") as file:  # noqa: PTH123 - torn, as after a power cut
        file.write(b"torn")
    answer = own_client.get(f"/screenshots/{lost}")
    assert answer.status_code == 404
    assert "full refresh" in answer.text
    assert place not in answer.text
    assert own_client.get(f"/thumbnails/{lost}").status_code == 200
