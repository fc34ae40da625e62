"""The real application over a real database with a small library, indexed once for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from fastapi.testclient import TestClient

from library_pipeline.settings import EncoderSettings, Settings
from library_pipeline.store.database import Database
from library_pipeline.store.embedded import EmbeddedServer
from library_pipeline.web.server import create_app
from library_pipeline_tests.bundles_on_disk import picture
from library_pipeline_tests.encoders.conftest import CENTRE_CROP, write_checkpoint
from library_pipeline_tests.encoders.pictures import drawn, encoded
from library_pipeline_tests.web.indexing import Sample, index

SCRIPT = "<script>alert(1)</script>"
SLASHED = "hero/äöü 🙂?a=1&b=%2F#x"
PARENT = ".."

SAMPLES = (
    *(
        Sample(f"c-{number}", picture(f"c-{number}"), client="north" if number < 4 else "south")
        for number in range(6)
    ),
    Sample(SLASHED, picture("slashed"), name="Held für Ünïcode"),
    Sample(PARENT, picture("parent"), name="Named like a folder"),
    Sample(
        "evil",
        picture("evil"),
        name=f"{SCRIPT}{{{{ 7 * 7 }}}}",
        client='"><img src=x onerror=alert(2)>',
        category="'onmouseover='alert(3)",
        tags=("<b>tag</b>",),
        texts={"format": f"<h1>{SCRIPT}</h1>", "records": '["</code></pre><script>"]'},
    ),
    Sample("jpeg", encoded(drawn((300, 200), seed=7), "JPEG")),
)


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("web")
    model = write_checkpoint(home / "clip", CENTRE_CROP)
    return Settings(
        home=home,
        bundle_store=str(home / "bundles"),
        encoder=EncoderSettings(model=str(model), device="cpu"),
    )


@pytest.fixture(scope="session")
def library(server: EmbeddedServer, settings: Settings) -> Database:
    """The samples, indexed; tests only read it."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute("create database web template template_library")
    database = Database(server.url("web"), server.dagster_url("dagster"))
    index(database, settings, SAMPLES)
    return database


@pytest.fixture(scope="session")
def client(library: Database, settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(library, settings), follow_redirects=False) as client:
        yield client


@pytest.fixture
def own_client(database: Database, settings: Settings) -> TestClient:
    """The application over an empty library of the test's own."""
    return TestClient(create_app(database, settings), raise_server_exceptions=False)
