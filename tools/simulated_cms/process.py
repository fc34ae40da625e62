"""A simulated CMS in a process of its own, so that its work is not counted as the caller's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from library_pipeline.catalog.component import FileKind

_CHECKOUT = Path(__file__).parents[2]


class SimulatedCms:
    """`with SimulatedCms(components=1000) as cms: cms.url`; it ends with the block or the caller.

    The methods raise httpx.HTTPStatusError where the CMS refuses: a number that is not there.
    """

    def __init__(self, components: int) -> None:
        self.components = components
        self.url = ""

    def edit(self, numbers: Iterable[int], files: Sequence[FileKind] = ("screenshot",)) -> None:
        """Give components a new revision, `updated_at` of now, and new bytes in `files`."""
        self._post("/_edit", {"numbers": [*numbers], "files": [*files]})

    def remove(self, numbers: Iterable[int]) -> None:
        """Take components off the listing."""
        self._post("/_remove", {"numbers": [*numbers]})

    def restore(self, numbers: Iterable[int]) -> None:
        """List removed components again, as they were but updated now."""
        self._post("/_restore", {"numbers": [*numbers]})

    def requests(self) -> dict[str, int]:
        """Return the requests since the last reset: `manifest`, `not_modified`, each file kind."""
        return self._client.get("/_requests").raise_for_status().json()

    def reset_requests(self) -> None:
        """Count requests from zero again."""
        self._post("/_requests/reset", {})

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tools.simulated_cms", "--until-stdin-ends"]
        command += ["--components", str(self.components), "--port", "0"]
        self._process = subprocess.Popen(
            command, cwd=_CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        said = self._process.stdout.readline() if self._process.stdout else ""
        if not said:
            raise RuntimeError(f"the simulated CMS ended at once with {self._process.wait()}")
        self.url = said.strip()
        self._client = httpx.Client(base_url=self.url, timeout=60)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()
        self._process.terminate()
        self._process.communicate()

    def _post(self, path: str, body: dict[str, object]) -> None:
        self._client.post(path, json=body).raise_for_status()
