"""The real application over a real database with a small library, indexed once for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from library_pipeline.database.connection import Database
from library_pipeline.embedded_server import EmbeddedServer
from library_pipeline.settings import EncoderSettings, Settings
from library_pipeline.web.service import create_app
from library_pipeline_tests.support.checkpoints import CENTRE_CROP, write_checkpoint
from library_pipeline_tests.support.databases import copied_database
from library_pipeline_tests.support.samples import SAMPLES
from tools.testing.indexing import index


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
def library(server: EmbeddedServer, settings: Settings) -> Iterator[Database]:
    """The samples, indexed; tests only read it."""
    with copied_database(server, "web") as database:
        index(database, settings, SAMPLES)
        yield database


@pytest.fixture(scope="session")
def client(library: Database, settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(library, settings), follow_redirects=False) as client:
        yield client


@pytest.fixture
def own_client(database: Database, settings: Settings) -> TestClient:
    """The application over an empty library of the test's own."""
    return TestClient(create_app(database, settings), raise_server_exceptions=False)
