"""A server with the settings that ship: doctor warns of the shared one, which may lose commits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from library_pipeline.embedded_server import EmbeddedServer
from library_pipeline_tests.support.databases import shared_server


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer]:
    with shared_server(durable=True) as running:
        yield running
