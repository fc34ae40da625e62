"""A request by HTTP, taken by a real daemon: one run plans it, others do it, all by themselves."""

from __future__ import annotations

import time
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from fastapi.testclient import TestClient

from library_pipeline.database.connection import Database
from library_pipeline.defs.in_process import REFRESH_TAG
from library_pipeline.sample_cms import SampleCms
from library_pipeline.settings import load_settings
from library_pipeline.web.service import create_app
from library_pipeline_tests.support.daemon import PATIENCE_SECONDS, daemon


@pytest.mark.timeout(300)
def test_what_is_asked_for_over_http_is_done_by_the_daemon(
    instance: dg.DagsterInstance,
    database: Database,
    connection: psycopg.Connection,
    cms: SampleCms,
    tmp_path: Path,
) -> None:
    web = TestClient(create_app(database, load_settings()))
    # Narrowed, so that it is not what the daemon's other sensors would ask for by themselves.
    accepted = web.post("/api/refreshes", json={"kind": "full", "client": "south"}).json()
    deadline = time.monotonic() + PATIENCE_SECONDS
    with daemon(tmp_path) as process:
        while (state := web.get(accepted["url"]).json())["state"] not in ("finished", "failed"):
            assert process.poll() is None and time.monotonic() < deadline, (
                state,
                (tmp_path / "daemon.log").read_text(),
            )
            time.sleep(0.3)
    assert (state["state"], state["asked_by"], state["total"]) == ("finished", "api", 2)
    planners = dg.RunsFilter(tags={REFRESH_TAG: accepted["refresh_id"]}, job_name="full_refresh")
    assert len(instance.get_runs(planners)) == 1
