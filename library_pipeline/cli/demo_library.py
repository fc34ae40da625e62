"""The demo's folder: a CMS of its own to edit, a configuration, and everything that comes out."""

from __future__ import annotations

import os
import shutil
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from library_pipeline.cli.console import fail
from library_pipeline.settings import CONFIG_VARIABLE
from library_pipeline.shipped import shipped
from library_pipeline.store.embedded import EmbeddedServer

MARK = "# Written by `library-pipeline demo`, which deletes this folder when it runs again."
CMS_PORT = 8100
_CONFIG = """{mark}
# An own library needs no more than these lines; docs/configuration.md has all there is.
home: .library
cms:
  base_url: http://127.0.0.1:{port}
encoder:
  model: demo            # or openai/clip-vit-base-patch32, the real thing
refresh:
  poll_seconds: 10
web_url: http://127.0.0.1:8400
"""


@dataclass(frozen=True, slots=True)
class DemoLibrary:
    """Where the parts of a demo are."""

    folder: Path

    @property
    def config(self) -> Path:
        """Its library.yaml."""
        return self.folder / "library.yaml"

    @property
    def cms_folder(self) -> Path:
        """The bundles that its CMS serves: change them and the CMS has changed."""
        return self.folder / "cms"

    @property
    def cms_port(self) -> int:
        """The port that its configuration expects the CMS at."""
        line = next(line for line in self.config.read_text().splitlines() if "base_url" in line)
        return int(line.rsplit(":", 1)[1])

    def exists(self) -> bool:
        """Whether the folder holds a demo."""
        return self.config.is_file() and self.config.read_text().startswith(MARK)

    def use(self) -> None:
        """Make this demo the library of this process and its children."""
        os.environ[CONFIG_VARIABLE] = str(self.config.absolute())


def fresh_demo(folder: Path) -> DemoLibrary:
    """Return a demo as it is before anything is indexed, in place of an earlier one."""
    demo = DemoLibrary(folder)
    if folder.exists() and any(folder.iterdir()):
        if not demo.exists():
            fail(f"{folder} holds something else than a demo; name another folder with --folder")
        _wait_until_unused(folder)
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(shipped("sample_library") / "components", demo.cms_folder)
    demo.config.write_text(_CONFIG.format(mark=MARK, port=_free_port()))
    return demo


def _wait_until_unused(folder: Path) -> None:
    server = EmbeddedServer(folder / ".library")
    for _ in range(100):
        if not server.is_running():
            return
        time.sleep(0.1)
    fail(f"the demo in {folder} is in use (`library-pipeline dev --demo`?); stop that first")


def _free_port() -> int:
    """Return the usual port, or another one where that is taken."""
    for port in (CMS_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise RuntimeError("no port of 127.0.0.1 is free")
