"""The two detached processes: `supervise <home> <linger>` and `hold <pid> <lock descriptor>`."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from library_pipeline.embedded_server.files import ServerFiles
from library_pipeline.embedded_server.processes import wait_for_end
from library_pipeline.embedded_server.supervisor import supervise


def main(words: list[str]) -> None:
    """Leave the caller's process tree, then run the command in `words`."""
    if os.fork():
        os._exit(0)  # the caller waits for this process, and init reaps the other
    os.umask(0o077)
    match words:
        case ["supervise", home, linger]:
            supervise(ServerFiles.below(Path(home)), float(linger), _reporter())
        case ["hold", pid, _]:
            wait_for_end(int(pid))
        case _:
            raise SystemExit(f"unknown words: {words}")


def _reporter() -> Callable[[str], None]:
    """Send log lines to stderr; return a function that writes one line to the caller.

    After that line, stdout goes to stderr, so that the caller's pipe closes.
    """
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(level=logging.INFO, format="%(asctime)sZ pid=%(process)d %(message)s")

    def report(line: str) -> None:
        with suppress(OSError):  # the caller may have ended
            os.write(1, line.encode() + b"\n")
        os.dup2(2, 1)

    return report


if __name__ == "__main__":
    main(sys.argv[1:])
