"""What real CMSs in tests share: a child process that serves, ended by its pid."""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import Any, Self

_STOP_SECONDS = 5


class ServedSite(AbstractContextManager["ServedSite"], ABC):
    """A site that is served by `_process` between `start` and `stop`."""

    _process: subprocess.Popen[Any] | None = None

    @property
    def is_up(self) -> bool:
        """Whether the site has been started and not been stopped since."""
        return self._process is not None

    @abstractmethod
    def start(self) -> Self:
        """Serve the site; returns when it answers."""

    def stop(self) -> None:
        """End the server's process, by its pid."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.communicate(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
