"""Whole runs as a newcomer sees them: the demo, a kill in the middle, `dagster` over it all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from library_pipeline.database.connection import Database
from library_pipeline.sample_cms import Faults, RequestFault, SampleCms
from tools.testing.bundles import write_bundle

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-c", "from library_pipeline.cli import main; main()"]


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "160"}
    return subprocess.run(
        [*PROGRAM, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        cwd=cwd,
        check=False,
    )


def test_the_demo_indexes_edits_refreshes_and_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LIBRARY_HOME")
    monkeypatch.delenv("LIBRARY_ENCODER_MODEL")
    outcome = run("demo", "--folder", "demo", cwd=tmp_path)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert (tmp_path / "demo" / "results.png").stat().st_size > 10_000
    by_picture, by_text = json.loads((tmp_path / "demo" / "results.json").read_text()).values()
    assert "pricing-table" in by_picture[0]["component"]
    assert len(by_text) == 8


def test_what_is_stored_survives_a_kill_and_a_rerun_finishes_the_rest(
    database: Database, cms: SampleCms, tmp_path: Path, connection: psycopg.Connection
) -> None:
    """kill -9 while downloads are slow: what was acknowledged stays, the rest is done once."""
    for number in range(6, 40):
        write_bundle(cms.folder, f"c-{number}")
    # The last files are stalled, so that the process dies with a part of the library stored.
    cms.faults = Faults(requests=(RequestFault(do="stall", every=9, path="/files", seconds=30),))
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "LIBRARY_ENCODER_BATCH_SIZE": "4",
    }  # fmt: skip
    child = subprocess.Popen(
        [*PROGRAM, "refresh"], env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL
    )
    stored = _wait_for_some(connection, child)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert 0 < stored < 40
    kept = dict(connection.execute("select component_id, indexed_at from pipeline.component"))

    cms.faults = Faults()
    rerun = run("refresh", "--json", cwd=tmp_path)
    assert rerun.returncode == 0, rerun.stdout + rerun.stderr
    counts = json.loads(rerun.stdout)["counts"]
    assert (counts["total"], counts["new"]) == (40, 40 - len(kept))
    now = dict(connection.execute("select component_id, indexed_at from pipeline.component"))
    assert len(now) == 40
    assert {name: now[name] for name in kept} == kept


def _dagster() -> str:
    return str(Path(sys.executable).with_name("dagster"))


def _wait_for_some(connection: psycopg.Connection, child: subprocess.Popen[bytes]) -> int:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and child.poll() is None:
        row = connection.execute("select count(*) from pipeline.component").fetchone()
        if row and row[0]:
            return row[0]
        time.sleep(0.02)
    raise AssertionError("the refresh stored nothing, or ended before it could be killed")


def test_dagster_validates_the_definitions_without_a_database(tmp_path: Path) -> None:
    outcome = subprocess.run(
        [_dagster(), "definitions", "validate", "-w", str(ROOT / "workspace.yaml")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    assert "Validation successful" in outcome.stdout + outcome.stderr
