"""Facets follow the library, whether reading them takes no time or is left to the background."""

from __future__ import annotations

import time

import pytest

from library_pipeline.database.connection import Database
from library_pipeline.search.ranking import Filters
from library_pipeline.settings import Settings
from library_pipeline.web.library import AT_ONCE_SECONDS, CurrentFacets
from library_pipeline_tests.support.samples import SAMPLES
from tools.testing.indexing import index


@pytest.mark.parametrize("at_once_seconds", [60.0, 0.0])
def test_counts_follow_the_library(
    database: Database, settings: Settings, at_once_seconds: float
) -> None:
    facets = CurrentFacets(database, at_once_seconds=at_once_seconds)
    with database.connect() as connection:
        assert facets.count(connection, Filters()).components == 0
        index(database, settings, SAMPLES[:3])
        asked_at = time.monotonic()
        while facets.count(connection, Filters()).components != 3:
            assert at_once_seconds < AT_ONCE_SECONDS, "a quick read is not put off"
            assert time.monotonic() < asked_at + 30
            time.sleep(0.05)
