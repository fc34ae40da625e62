"""A library over a real CMS: refreshed, and compared with what the site shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from library_pipeline.database.connection import Database
from library_pipeline_tests.support.followed_site import Library


@pytest.fixture
def library(database: Database) -> Callable[[Mapping[str, Any]], Library]:
    """Return what opens a library over one source."""
    return lambda source: Library(database, source)
