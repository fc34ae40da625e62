"""What the tests run on: the embedded server, a CMS of small bundles, the demo encoder."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import structlog

from library_pipeline.database.connection import Database
from library_pipeline.embedded_server import EmbeddedServer
from library_pipeline.sample_cms import SampleCms
from library_pipeline_tests.support.databases import copied_database, shared_server
from tools.testing.bundles import write_bundle

_numbers = itertools.count()
_LONGEST = ("/e2e/", "/cli/", "/defs/", "")  # folders of tests, by how long a test takes
# Fixtures that most tests share, or that cost little: each worker makes its own.
_IN_EACH_WORKER = {"server", "dagster_template", "checkpoint_folder", "other_model", "browser"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one worker do all tests that share a costly fixture, and start the long ones first.

    Otherwise each worker indexes the same library and starts the same site, and one of them works
    alone at the end.
    """
    groups = {item: _group(item) for item in items}
    for item, group in groups.items():
        if group and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(group))

    def order(item: pytest.Item) -> int:
        folder = next(index for index, room in enumerate(_LONGEST) if room in item.nodeid)
        return min(folder, 1) if groups[item] else folder

    items.sort(key=order)


def _group(item: pytest.Item) -> str | None:
    """Return where the fixtures are defined that `item` shares with other tests, if it has any."""
    fixtures = item._fixtureinfo.name2fixturedefs.items()  # type: ignore[attr-defined]
    places = {
        found[-1].baseid
        for name, found in fixtures
        if found[-1].baseid and found[-1].scope in ("module", "session")
        if name not in _IN_EACH_WORKER
    }
    return max(places, key=len, default=None)


@pytest.fixture(autouse=True)
def default_logging() -> Iterator[None]:
    """A command that runs in the process of its test quiets the logs; the next test reads them."""
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the library or the Dagster of whoever runs it."""
    for name in ("LIBRARY_CONFIG", "LIBRARY_DATABASE_URL", "LIBRARY_DAGSTER_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("LIBRARY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LIBRARY_ENCODER_MODEL", "demo")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer]:
    """One embedded server for all tests of a process; each test takes a database of its own."""
    with shared_server() as running:
        yield running


@pytest.fixture
def database(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A migrated, empty database, which the settings lead to."""
    with copied_database(server, f"library_{next(_numbers)}") as database:
        monkeypatch.setenv("LIBRARY_DATABASE_URL", database.url)
        monkeypatch.setenv("LIBRARY_DAGSTER_DATABASE_URL", database.dagster_url)
        yield database


@pytest.fixture
def connection(database: Database) -> Iterator[psycopg.Connection]:
    """An autocommit connection to the test's database."""
    with database.connect() as connection:
        yield connection


@pytest.fixture
def cms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SampleCms]:
    """A CMS of six components, c-0 to c-5, for two clients; edit its folder to edit it."""
    folder = tmp_path / "cms"
    for number in range(6):
        write_bundle(folder, f"c-{number}", client="north" if number < 4 else "south")
    with SampleCms(folder, allow_faults=True) as running:
        monkeypatch.setenv("LIBRARY_CMS_BASE_URL", running.url)
        yield running
