"""Fixtures: a Dagster instance on PostgreSQL, and refreshes that run in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

import dagster as dg
import psycopg
import pytest

from library_pipeline.catalog.refresh import Refresh, RefreshKind, RefreshRequest, RefreshScope
from library_pipeline.database.connection import Database
from library_pipeline.defs.in_process import open_instance, run_refresh
from library_pipeline.embedded_server import EmbeddedServer
from library_pipeline.refresh.log import new_refresh_id
from library_pipeline.sample_cms import SampleCms
from library_pipeline.settings import load_settings
from library_pipeline_tests.support.databases import copied_database


@pytest.fixture(scope="session")
def dagster_template(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with Dagster's tables; making them anew takes seconds, copying it does not."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute("create database template_dagster")
    url = server.dagster_url("template_dagster")
    home = tmp_path_factory.mktemp("dagster")
    (home / "dagster.yaml").write_text(f"storage: {{postgres: {{postgres_url: '{url}'}}}}")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert instance.get_runs() == []
    return "template_dagster"


@pytest.fixture
def instance(
    server: EmbeddedServer,
    database: Database,
    dagster_template: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[dg.DagsterInstance]:
    """An instance with storage of its own, configured by the dagster.yaml that is shipped."""
    name = f"dagster_of_{urlsplit(database.url).path.strip('/')}"
    with copied_database(server, name, dagster_template):
        url = server.dagster_url(name)
        monkeypatch.setenv("LIBRARY_DAGSTER_DATABASE_URL", url)
        with open_instance(load_settings(), Database(database.url, url)) as instance:
            yield instance


@pytest.fixture
def definitions(cms: SampleCms, database: Database) -> dg.Definitions:
    """The definitions as they are with the test's settings."""
    import importlib

    import library_pipeline.definitions as module

    return importlib.reload(module).defs


Refresh = Callable[..., Refresh]


@pytest.fixture
def refresh(
    definitions: dg.Definitions, instance: dg.DagsterInstance, database: Database
) -> Refresh:
    """Run a refresh as the command line does."""

    def run(kind: RefreshKind = "incremental", **scope: object) -> Refresh:
        return run_refresh(
            definitions,
            instance,
            database,
            RefreshRequest(
                refresh_id=new_refresh_id(datetime.now(UTC)),
                kind=kind,
                asked_by="cli",
                scope=RefreshScope(**scope),  # type: ignore[arg-type]
                in_process=True,
            ),
        )

    return run
