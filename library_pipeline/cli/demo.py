"""`library-pipeline demo`: a CMS, two refreshes and a search, all on this machine."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from library_pipeline.bundles.store import BundleStore
from library_pipeline.catalog.refresh import Counts
from library_pipeline.cli.console import console, errors, fail
from library_pipeline.cli.refresh import refresh_library
from library_pipeline.cli.search_command import SearchQuestion, draw_sheet
from library_pipeline.embedded_server import EmbeddedServer
from library_pipeline.encoders import read_image
from library_pipeline.sample_cms import SampleCms
from library_pipeline.search.finder import open_finder
from library_pipeline.search.query import Query
from library_pipeline.search.sheet import stacked
from library_pipeline.settings import CONFIG_VARIABLE, load_settings
from library_pipeline.shipped import shipped

_MARK = "# Written by `library-pipeline demo`, which deletes this folder when it runs again."
_CMS_PORT = 8100
_DEMO_CONFIG = """{mark}
# Your own library needs only these keys; docs/configuration.md has every key.
home: .library
cms:
  base_url: http://127.0.0.1:{port}
encoder:
  model: demo            # or openai/clip-vit-base-patch32, the real thing
refresh:
  poll_seconds: 10
web_url: http://127.0.0.1:8400
"""
_TEXT_QUERY = "a dark pricing table with three plans"
_RESULTS = 8


@dataclass(frozen=True, slots=True)
class DemoLibrary:
    """The folder of a demo: a CMS to edit, a configuration, and all results."""

    folder: Path

    @property
    def config(self) -> Path:
        """The path of its library.yaml."""
        return self.folder / "library.yaml"

    @property
    def cms_folder(self) -> Path:
        """The bundles that its CMS serves; an edit of them is a change in the CMS."""
        return self.folder / "cms"

    @property
    def cms_port(self) -> int:
        """The port of the CMS in its configuration."""
        line = next(line for line in self.config.read_text().splitlines() if "base_url" in line)
        return int(line.rsplit(":", 1)[1])

    def exists(self) -> bool:
        """Whether the folder holds a demo."""
        return self.config.is_file() and self.config.read_text().startswith(_MARK)

    def use(self) -> None:
        """Make this process and its children use the demo's configuration."""
        os.environ[CONFIG_VARIABLE] = str(self.config.absolute())


def fresh_demo(folder: Path) -> DemoLibrary:
    """Return a new demo with nothing indexed; replaces an earlier one in the folder."""
    demo = DemoLibrary(folder)
    if folder.exists() and any(folder.iterdir()):
        if not demo.exists():
            fail(f"{folder} holds something other than a demo; name another folder with --folder")
        _wait_until_unused(folder)
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(shipped("sample_library") / "components", demo.cms_folder)
    demo.config.write_text(_DEMO_CONFIG.format(mark=_MARK, port=_free_port()))
    return demo


def _wait_until_unused(folder: Path) -> None:
    server = EmbeddedServer(folder / ".library")
    for _ in range(100):
        if not server.is_running():
            return
        time.sleep(0.1)
    fail(f"the demo in {folder} is in use (`library-pipeline dev --demo`?); stop that first")


def _free_port() -> int:
    """Return the usual port, or another one if that is in use."""
    for port in (_CMS_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise RuntimeError("no port of 127.0.0.1 is free")


def run_demo(folder: Path) -> int:
    """Index the sample library, change it, refresh, search; return the exit code."""
    started = time.monotonic()
    demo = fresh_demo(folder)
    demo.use()
    with SampleCms(demo.cms_folder, port=demo.cms_port) as cms:
        total = sum(1 for _ in demo.cms_folder.iterdir())
        _say(f"The CMS is at {cms.url}/components and lists {total} components. A full refresh:")
        full = refresh_library("full")
        edit = _edit(demo)
        _say("An incremental refresh has to find exactly these changes:")
        incremental = refresh_library("incremental")
    expected = Counts(
        total=total, new=1, changed=len(edit["changed"]), removed=1, unchanged=total - 1 - 3
    )
    if not (full.ok and full.counts == Counts(total=total, new=total)):
        return _failed(f"the full refresh counted {full.counts}, of {total} components")
    if not (incremental.ok and incremental.counts == expected):
        return _failed(f"the incremental refresh counted {incremental.counts}, not {expected}")
    _search(demo)
    _say_what_next(demo, time.monotonic() - started)
    return 0


def _edit(demo: DemoLibrary) -> dict[str, list[str]]:
    """Change three components in the CMS, add one and remove one, as an editor would."""
    updates = sorted((shipped("sample_library") / "updates").iterdir())
    known = {path.name for path in demo.cms_folder.iterdir()}
    changed = [path for path in updates if path.name in known]
    added = [path for path in updates if path.name not in known]
    for path in updates:
        shutil.rmtree(demo.cms_folder / path.name, ignore_errors=True)
        shutil.copytree(path, demo.cms_folder / path.name)
    removed = min(known - {path.name for path in updates})
    shutil.rmtree(demo.cms_folder / removed)
    _say("An editor changes the CMS:")
    for word, names in (
        ("changed", [path.name for path in changed]),
        ("added", [path.name for path in added]),
        ("removed", [removed]),
    ):
        console.print(f"  {word:8} {', '.join(names)}", markup=False)
    return {"changed": [path.name for path in changed], "removed": [removed]}


def _search(demo: DemoLibrary) -> None:
    """Search by a picture and by a text; write the matches as one sheet and as JSON."""
    settings = load_settings()
    store = BundleStore(settings.bundle_root)
    picture = SearchQuestion(pictures=(_snapshot(demo),))
    text = SearchQuestion(texts=(_TEXT_QUERY,))
    with open_finder(settings) as finder:
        sheets, found = [], {}
        for question in (picture, text):
            matches = finder.find(Query(tuple(question.examples()), k=_RESULTS))
            sheets.append(draw_sheet(question, matches, store))
            found[str(question)] = [
                {"component": match.component_id, "score": round(match.score, 4)}
                for match in matches
            ]
            first = matches[0]
            _say(f"Search {question}: first of {len(matches)} is {first.component_id}")
    stacked(sheets).save(demo.folder / "results.png")
    (demo.folder / "results.json").write_text(json.dumps(found, indent=2))


def _snapshot(demo: DemoLibrary) -> Path:
    """Make a picture as a person may have it: a smaller, cropped JPEG of a component."""
    folders = sorted(path for path in demo.cms_folder.iterdir() if "pricing-table" in path.name)
    source = next(iter(folders or sorted(demo.cms_folder.iterdir())))
    image = read_image(str(next(source.glob("screenshot.*"))))
    width, height = image.size
    cropped = image.crop((width // 25, height // 25, width, height))
    small = cropped.resize((cropped.width * 3 // 5, cropped.height * 3 // 5), Image.Resampling.BOX)
    path = demo.folder / "query.jpg"
    small.save(path, quality=70)
    return path


def _say(text: str) -> None:
    console.print(f"\n{text}", style="bold", markup=False, soft_wrap=True)


def _failed(text: str) -> int:
    errors.print(f"[bold red]the demo did not give the expected result:[/] {text}", soft_wrap=True)
    return 1


def _say_what_next(demo: DemoLibrary, seconds: float) -> None:
    folder = demo.folder
    _say(f"Done in {seconds:.0f} s. Look at {folder / 'results.png'}. Next:")
    for command, purpose in (
        ("make dev", "the Dagster UI and the search page, over this library"),
        (
            f"LIBRARY_CONFIG={demo.config} .venv/bin/library-pipeline search --text 'login form'",
            "another question",
        ),
        (
            f"edit a bundle in {demo.cms_folder}",
            "while `make dev` runs; the sensor finds the change",
        ),
        (f"cp {demo.config} library.yaml", "then set your own CMS in it: docs/sources.md"),
    ):
        console.print(f"  [cyan]{command}[/]  {purpose}", soft_wrap=True)
