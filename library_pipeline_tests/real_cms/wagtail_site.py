"""A real Wagtail site for a test: built once per machine, copied, served by a child process."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from library_pipeline_tests.real_cms.served import ServedSite
from tools.testing import bundles

TYPE = "home.ComponentPage"
_PROJECT = "library_pipeline_tests.real_cms.wagtail"
_SOURCES = Path(__file__).with_name("wagtail")
_ROOT = Path(__file__).parents[2]


class WagtailError(RuntimeError):
    """The site could not be built or started, or refused a change."""


class WagtailSite(ServedSite):
    """The site on a loopback port: `with WagtailSite(folder) as site: site.url`.

    It has so many `components`, named Component 0, 1, ...; their pages' ids are `pages`, in this
    order. Each change returns when it is in the database, and so in the next answer.
    """

    def __init__(self, folder: Path, *, components: int = 100) -> None:
        self.folder = folder
        self.pages = list(range(3, 3 + components))  # 1 is the root, 2 the home page
        self.port = 0
        self._components = components

    @property
    def url(self) -> str:
        """The site's origin, like http://127.0.0.1:8000."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def listing_url(self) -> str:
        """What a source's `url` is."""
        return f"{self.url}/api/v2/pages/"

    def start(self) -> Self:
        """Copy the site, unless the folder has one, and serve it; returns when it answers."""
        if not (self.folder / "db.sqlite3").exists():
            shutil.copytree(_built(self._components), self.folder, dirs_exist_ok=True)
        with (self.folder / "server.log").open("a") as log:
            self._process = subprocess.Popen(
                _command("serve"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=_ROOT,
                env=_environment(self.folder),
            )
        self.port = int(self._answer()["port"])
        return self

    def add(
        self,
        name: str,
        *,
        picture_seed: str | None = None,
        client: str = "north",
        category: str = "card",
        tags: tuple[str, ...] = (),
        config: object = None,
        publish: bool = True,
    ) -> int:
        """Create a component and its image, published unless told otherwise; return its id."""
        return self._change(
            "add",
            name=name,
            picture_seed=picture_seed,
            client=client,
            category=category,
            tags=list(tags),
            config=config,
            publish=publish,
        )

    def edit(self, page: int, **fields: object) -> None:
        """Publish other values of fields, like `title`, `component_client`, `tags`, `config`."""
        self._change("edit", page=page, **fields)

    def replace_image(
        self, page: int, picture_seed: str, *, republish: bool = False, keep_name: bool = False
    ) -> None:
        """Give the page's Image another file, `picture(picture_seed)`; the page stays as it was.

        `republish` publishes the page, too, so that last_published_at changes. `keep_name` keeps
        the file's name and with it its URL, so that only `screenshot_hash` changes.
        """
        self._change(
            "replace_image",
            page=page,
            picture_seed=picture_seed,
            republish=republish,
            keep_name=keep_name,
        )

    def unpublish(self, page: int) -> None:
        """Take a component off the listing."""
        self._change("unpublish", page=page)

    def publish(self, page: int) -> None:
        """Put a draft or an unpublished component on the listing."""
        self._change("publish", page=page)

    def delete(self, page: int) -> None:
        """Delete a component; its image stays."""
        self._change("delete", page=page)

    def _change(self, what: str, **arguments: object) -> Any:
        if self._process is None or self._process.stdin is None:
            raise WagtailError(f"{what}: the site in {self.folder} is not running")
        self._process.stdin.write(json.dumps({"do": what, **arguments}) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        if "error" in answer:
            raise WagtailError(f"{what} {arguments}: {answer['error']}")
        return answer["result"]

    def _answer(self) -> dict[str, Any]:
        assert self._process is not None and self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            log = (self.folder / "server.log").read_text()
            raise WagtailError(f"the Wagtail site in {self.folder} ended:\n{log[-2000:]}")
        return json.loads(line)


def _built(components: int) -> Path:
    """Return a folder with a site as new; one process builds it, others wait, later ones find it.

    It lies with the machine's temporary files, under the hash of all that it is made of.
    """
    parts = [version(name) for name in ("wagtail", "django", "pillow")]
    files = [Path(bundles.__file__), *sorted(_SOURCES.rglob("*.py"))]
    parts += [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    digest = hashlib.sha256(repr((parts, components)).encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"library-wagtail-{os.getuid()}-{digest}"
    with _locked(folder.with_suffix(".lock")):
        if not folder.exists():
            _build(folder, components)
    return folder


def _build(folder: Path, components: int) -> None:
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    command = [*_command("build"), str(components)]
    building = subprocess.run(
        command,
        cwd=_ROOT,
        env=_environment(unfinished),
        capture_output=True,
        text=True,
        check=False,
    )
    if building.returncode:
        raise WagtailError(f"the Wagtail site could not be built:\n{building.stderr[-2000:]}")
    unfinished.rename(folder)


@contextmanager
def _locked(path: Path) -> Generator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _command(what: str) -> list[str]:
    return [sys.executable, "-m", f"{_PROJECT}.serve", what]


def _environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(_ROOT),
        "DJANGO_SETTINGS_MODULE": f"{_PROJECT}.settings",
        "WAGTAIL_SITE_FOLDER": str(folder),
    }
