"""`kill -9` of a refresh and of its database half-way: the next refresh leaves nothing wanting.

tools/soak does this fifty times over, with the daemon; these are the two that every change meets.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from library_pipeline.bundles.store import BundleStore
from library_pipeline.database.connection import Database
from library_pipeline.defs.in_process import open_instance
from library_pipeline.embedded_server import EmbeddedServer, stop
from library_pipeline.embedded_server.files import ServerFiles
from library_pipeline.settings import load_settings
from tools.simulated_cms import SimulatedCms
from tools.soak.audit import audit
from tools.soak.listing import Listing
from tools.soak.quiet import UNFINISHED

ROOT = Path(__file__).parents[2]
COMPONENTS = 90
EDITED = 70
DOWNLOADS_AT_A_TIME = 4


@dataclass(frozen=True, slots=True)
class Library:
    """A library that is up to date with its CMS, on a server of its own that may be killed."""

    home: Path
    cms: SimulatedCms
    listing: Listing
    database: Database
    environment: dict[str, str]

    def refresh(self) -> subprocess.Popen[str]:
        program = [sys.executable, "-c", "from library_pipeline.cli import main; main()"]
        return subprocess.Popen(
            [*program, "refresh", "--json"],
            cwd=self.home,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def refresh_to_the_end(self) -> None:
        child = self.refresh()
        said, _ = child.communicate(timeout=120)
        assert child.returncode == 0, said

    def refresh_until_some_are_stored(self) -> subprocess.Popen[str]:
        """Start a refresh of edited components and return in the midst of its second chunk."""
        started = time.time()
        child = self.refresh()
        while child.poll() is None:
            with self.database.connect() as connection:
                stored = connection.execute(
                    "select count(*) from pipeline.component where indexed_at > to_timestamp(%s)",
                    (started,),
                ).fetchone()
            if stored and stored[0] > 44:
                return child
            time.sleep(0.02)
        raise AssertionError(f"the refresh ended by itself: {child.communicate()[0]}")


@pytest.fixture(scope="module")
def up_to_date() -> Iterator[Library]:
    home = Path(tempfile.mkdtemp(prefix="kills-"))
    with SimulatedCms(COMPONENTS) as cms, EmbeddedServer(home, linger_seconds=0.2) as server:
        database = Database(server.url("library"), server.dagster_url("dagster"))
        environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("LIBRARY_")},
            "PYTHONPATH": str(ROOT),
            "LIBRARY_HOME": str(home),
            "LIBRARY_ENCODER_MODEL": "demo",
            "LIBRARY_ENCODER_BATCH_SIZE": "8",
            "LIBRARY_CMS_BASE_URL": cms.url,
            "LIBRARY_CMS_CONCURRENCY": str(DOWNLOADS_AT_A_TIME),
            "LIBRARY_REFRESH_CHUNK_SIZE": "40",
        }
        library = Library(home, cms, Listing(cms, random.Random(1)), database, environment)
        library.refresh_to_the_end()
        # From now on there is time to be killed in.
        environment["LIBRARY_CMS_REQUESTS_PER_SECOND"] = "60"
        yield library
    stop(home)
    shutil.rmtree(home)


@pytest.fixture
def library(up_to_date: Library, monkeypatch: pytest.MonkeyPatch) -> Library:
    """The library, with most of its components edited in the CMS and no file requested yet."""
    for name, value in up_to_date.environment.items():
        if name.startswith("LIBRARY_"):
            monkeypatch.setenv(name, value)
    up_to_date.listing.edit_exactly(EDITED, files=("screenshot",))
    up_to_date.cms.reset_requests()
    return up_to_date


def assert_sound(library: Library) -> None:
    settings = load_settings()
    with open_instance(settings, library.database) as instance:
        with library.database.connect() as connection:
            bundles = BundleStore(settings.bundle_root)
            assert audit(connection, bundles, instance, library.listing.current()) == []
        assert instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)) == []


def test_after_a_killed_refresh_the_next_one_downloads_only_what_was_under_way_again(
    library: Library,
) -> None:
    child = library.refresh_until_some_are_stored()
    child.kill()
    child.communicate()
    library.refresh_to_the_end()
    assert EDITED <= library.cms.requests()["screenshot"] <= EDITED + DOWNLOADS_AT_A_TIME
    assert_sound(library)


def test_after_a_killed_database_the_next_refresh_finds_all_that_was_acknowledged(
    library: Library,
) -> None:
    child = library.refresh_until_some_are_stored()
    with library.database.connect() as connection:
        kept = indexed(connection)
        postgres = ServerFiles.below(library.home).read_state()
        assert postgres and postgres.postgres_pid
        os.kill(postgres.postgres_pid, signal.SIGKILL)
    said, _ = child.communicate(timeout=60)
    assert child.returncode == 2, said
    assert "the refresh stopped" in said
    library.refresh_to_the_end()
    with library.database.connect() as connection:
        now = indexed(connection)
    assert {id_: revision for id_, revision in kept.items() if now[id_] < revision} == {}
    assert EDITED <= library.cms.requests()["screenshot"] <= EDITED + DOWNLOADS_AT_A_TIME
    assert_sound(library)


def indexed(connection: psycopg.Connection) -> dict[str, int]:
    rows = connection.execute("select component_id, revision::integer from library.component")
    return dict(rows.fetchall())
