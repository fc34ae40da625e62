"""The command line: exit codes, exact accounts, and words that help."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from click.testing import Result
from typer.testing import CliRunner

from library_pipeline.catalog.refresh import RefreshRequest
from library_pipeline.cli.app import app
from library_pipeline.refresh.manifest_state import record_unreadable
from library_pipeline.refresh.requests import ask
from library_pipeline.sample_cms import SampleCms
from library_pipeline.settings import Settings
from library_pipeline_tests.support.checkpoints import CENTRE_CROP, write_checkpoint
from library_pipeline_tests.support.command_line import run
from tools.testing.bundles import picture, write_bundle

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def wide_console(monkeypatch: pytest.MonkeyPatch) -> None:
    """No line of output is wrapped: the console may have been made before a test says how wide."""
    from library_pipeline.cli import console

    for each in (console.console, console.errors):
        monkeypatch.setattr(each, "_width", 200)


def told(*arguments: str) -> Result:
    """Run the program in this process, which saves the seconds that its start takes."""
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, arguments)


def test_from_nothing_to_an_answer(cms: SampleCms, tmp_path: Path) -> None:
    """The embedded server starts by itself, and is gone when the command is."""
    first = run("refresh")
    assert first.returncode == 0, first.stderr
    assert "│     6 │   6 │" in first.stdout

    write_bundle(cms.folder, "c-1", screenshot=b"<html>")
    second = told("refresh")
    assert second.exit_code == 1
    assert "image.not_an_image" in second.stdout
    assert "component c-1: screenshot" in second.stdout
    assert "Traceback" not in second.output

    (tmp_path / "query.png").write_bytes(picture("c-2"))
    found = run("search", "query.png", "-k", "3", "--json", "--sheet", "out/sheet.png")
    assert found.returncode == 0, found.stderr
    matches = json.loads(found.stdout)
    assert matches[0]["component_id"] == "c-2"
    assert matches[0]["score"] > 0.999
    assert (tmp_path / "out" / "sheet.png").read_bytes().startswith(b"\x89PNG")

    status = json.loads(told("status", "--json").stdout)
    assert status["index"]["components"] == 6
    assert status["failures"][0]["component_id"] == "c-1"


def test_an_encoder_is_changed_from_the_command_line(
    cms: SampleCms, database: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Filled, refused while it is not, activated; the old one is freed."""
    assert told("refresh").exit_code == 0
    model = write_checkpoint(tmp_path / "model", CENTRE_CROP)
    monkeypatch.setenv("LIBRARY_ENCODER_MODEL", str(model))
    (old,) = json.loads(told("encoders", "list", "--json").stdout)
    partly = told("reembed", "--limit", "2", "--json")
    assert json.loads(partly.stdout)["counts"]["changed"] == 2, partly.stderr
    refused = told("encoders", "activate", "clip")
    assert refused.exit_code == 2
    assert "covers 2 of 6 searchable components (33.3%)" in refused.stderr
    assert "library-pipeline reembed" in refused.stderr
    listed = told("encoders", "list").stdout
    assert "2 of 6 (33.3 %)" in listed
    assert "6 of 6 (100.0 %)" in listed
    assert "2 of 6 components covered, 2 screenshots embedded (candidate)" in told("status").stdout
    refused = told("encoders", "drop", "clip", old["fingerprint"], "--yes")
    assert "is the active one; activate another one first" in refused.stderr
    assert told("reembed").exit_code == 0
    activated = told("encoders", "activate", "--auto")
    assert "search now uses clip" in activated.stdout, activated.stderr
    assert told("encoders", "drop", "clip", old["fingerprint"], "--yes").exit_code == 0
    (new,) = json.loads(told("encoders", "list", "--json").stdout)
    assert (new["model"], new["state"], new["share"]) == (str(model), "active", 1.0)
    (tmp_path / "query.png").write_bytes(picture("c-2"))
    found = json.loads(told("search", "query.png", "--weight", "clip=2", "--json").stdout)
    assert found[0]["component_id"] == "c-2"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["encoders", "activate"], "give the NAME of an encoder or --auto, not both"),
        (["encoders", "drop", "clip", "0"], "there is no encoder clip 0; there is: none of that"),
        (["search", "--text", "x", "--weight", "clip"], "'clip' is not NAME=NUMBER"),
        (["search"], "give at least one of PICTURE, --text, --like"),
        (["status", "--json", "--watch"], "use --json or --watch, not both"),
        (["search", "--text", "a card"], "nothing is indexed yet; run `library-pipeline refresh`"),
    ],
)
def test_a_wrong_command_says_what_to_do(
    database: object, arguments: list[str], words: str
) -> None:
    outcome = told(*arguments)
    assert outcome.exit_code == 2
    assert words in outcome.stderr


def test_a_refresh_without_a_cms_says_what_to_set(database: object) -> None:
    outcome = run("refresh")
    assert outcome.returncode == 2
    assert "no source of components is set: put cms.base_url into library.yaml" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_a_cms_that_is_not_there_is_named(
    database: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIBRARY_CMS_BASE_URL", "http://127.0.0.1:9")
    outcome = run("refresh")
    assert outcome.returncode == 2
    assert "cannot reach the CMS: is it running at http://127.0.0.1:9?" in outcome.stderr


def test_a_refresh_without_one_of_its_sources_ends_with_1_and_names_it(
    database: object, cms: SampleCms, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("LIBRARY_CMS_BASE_URL")
    keys = {"preset": "contract", "url": f"{cms.url}/components"}
    sources = [
        {"name": "open", **keys},
        {"name": "locked", "auth": {"secret_env": "NOT_SET"}, **keys},
    ]
    (tmp_path / "library.yaml").write_text(json.dumps({"sources": sources}))
    outcome = told("refresh")
    assert outcome.exit_code == 1, outcome.stderr
    assert "│     6 │   6 │" in outcome.stdout
    assert "The source locked could not be read" in outcome.stderr
    status = told("status").stdout
    assert "| not read: locked" in status
    assert "sources.locked.auth: the environment variable NOT_SET is not set or empty" in status


def test_status_says_which_source_could_not_be_read(connection: psycopg.Connection) -> None:
    record_unreadable(connection, "shop", "page 7 answered [red]500\x1b[2J")
    outcome = told("status")
    said = r"The source shop could not be read last: page 7 answered [red]500\x1b[2J"
    assert said in outcome.stdout
    status = json.loads(told("status", "--json").stdout)
    assert status["sources"]["shop"]["error"] == "page 7 answered [red]500\x1b[2J"
    assert status["sources"]["shop"]["fetched_at"] is None


def test_status_says_what_waits_for_dagster_and_why(connection: psycopg.Connection) -> None:
    ask(connection, RefreshRequest("r-1", "full", "api"))
    outcome = told("status")
    assert "refresh r-1 full waiting for " in outcome.stdout
    assert "daemon" in outcome.stdout
    assert "Nothing has been refreshed yet" not in outcome.stdout
    (waiting,) = json.loads(told("status", "--json").stdout)["requests"]
    assert (waiting["request"]["refresh_id"], waiting["attempt"]) == ("r-1", 1)


def test_an_unreachable_database_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIBRARY_DATABASE_URL", "postgresql://me:hunter2@127.0.0.1:1/library")
    monkeypatch.setenv("LIBRARY_DAGSTER_DATABASE_URL", "postgresql+psycopg2://127.0.0.1:1/dagster")
    outcome = run("status")
    assert outcome.returncode == 2
    assert "127.0.0.1" in outcome.stderr
    assert "hunter2" not in outcome.stderr + outcome.stdout


def test_the_reference_names_every_command_as_it_is() -> None:
    """docs/cli.md is made by `make docs`, to be run after a change of a command."""
    command = [sys.executable, "-m", "typer", "library_pipeline.cli.app", "utils", "docs"]
    made = subprocess.run(
        [*command, "--name", "library-pipeline", "--title", "The command line"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert made.stdout.strip() == (ROOT / "docs" / "cli.md").read_text().strip()


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    for name, field in Settings.model_fields.items():
        section = getattr(field.annotation, "model_fields", None)
        for key in [f"{name}.{inner}" for inner in section] if section else [name]:
            assert f"| `{key}` |" in text, key


def test_loading_the_program_loads_neither_torch_nor_dagster() -> None:
    """--help, search --like and status answer at once."""
    code = (
        "import sys, library_pipeline.cli.app, library_pipeline.cli.search_command, "
        "library_pipeline.cli.status; "
        "print([name for name in ('torch', 'transformers', 'dagster') if name in sys.modules])"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert outcome.stdout.strip() == "[]"
