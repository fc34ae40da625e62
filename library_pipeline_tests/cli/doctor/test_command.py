"""`library-pipeline doctor` as a person and a program meet it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from library_pipeline.sample_cms import SampleCms
from library_pipeline_tests.support.command_line import run
from library_pipeline_tests.support.ports import closed_port


def test_a_library_that_works_ends_with_0(database: object, cms: SampleCms) -> None:
    outcome = run("doctor")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert outcome.stdout.rstrip().endswith("Nothing is wrong.")
    marks = [line.split()[0] for line in outcome.stdout.splitlines() if line[:1].strip()]
    assert set(marks) == {"ok", "Nothing"}


def test_everything_is_looked_at_though_everything_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = closed_port()
    (tmp_path / "file").touch()
    for name, value in {
        "LIBRARY_HOME": f"{tmp_path}/file/home",
        "LIBRARY_DATABASE_URL": f"postgresql://me:hunter2@127.0.0.1:{port}/library",
        "LIBRARY_DAGSTER_DATABASE_URL": f"postgresql://me:hunter2@127.0.0.1:{port}/dagster",
        "LIBRARY_CMS_BASE_URL": f"http://127.0.0.1:{port}",
        "LIBRARY_CMS_TOKEN": "hunter2",
        "LIBRARY_ENCODER_MODEL": "no such folder",
        "LIBRARY_ENCODER_DEVICE": "cuda:7",
        "LIBRARY_ENCODER_CPU_FALLBACK": "false",
    }.items():
        monkeypatch.setenv(name, value)
    outcome = run("doctor", "--json")
    assert outcome.returncode == 1, outcome.stderr
    report = json.loads(outcome.stdout)
    assert report["ok"] is False
    states = {check["name"]: check["state"] for check in report["checks"]}
    wrong = {name for name, state in states.items() if state == "wrong"}
    assert wrong == {
        "device cuda:7",
        "encoder clip",
        "disk",
        "database",
        "dagster database",
        "bundle store",
        "cms",
    }
    assert states["dagster"] == "skipped"
    assert all(check["way_out"] for check in report["checks"] if check["state"] == "wrong")
    assert "hunter2" not in outcome.stdout + outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_a_bad_configuration_is_told_and_what_needs_none_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "library.yaml").write_text("cms: {page_size: 0, tokn: hunter2}")
    monkeypatch.setenv("LIBRARY_CMS_BASEURL", "hunter2")
    outcome = run("doctor")
    assert outcome.returncode == 1
    assert "cms.page_size = 0 (library.yaml): it must be a whole number" in outcome.stdout
    assert "did you mean LIBRARY_CMS_BASE_URL?" in outcome.stdout
    assert "3 wrong" in outcome.stdout
    assert "torch 2." in outcome.stdout
    assert "the configuration has to be valid first" in outcome.stdout
    assert "hunter2" not in outcome.stdout + outcome.stderr
