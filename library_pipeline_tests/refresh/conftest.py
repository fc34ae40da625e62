"""A refresh without Dagster: planned and done chunk by chunk, over a real CMS and encoder."""

from __future__ import annotations

import pytest

from library_pipeline.database.connection import Database
from library_pipeline.sample_cms import SampleCms
from library_pipeline.sources.factory import contract_source
from library_pipeline.sources.http.connection import CmsConnection
from library_pipeline_tests.support.refreshing import Refresher


@pytest.fixture
def refresh(database: Database, cms: SampleCms) -> Refresher:
    connection = CmsConnection(base_url=cms.url, max_attempts=2, backoff_seconds=0.01)
    return Refresher(database, [contract_source(connection)])
