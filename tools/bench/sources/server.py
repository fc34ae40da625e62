"""The server in a process of its own, at two ports: `with served() as (one, other): ...`."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tools.bench.sources.app import SourceApp
from tools.simulated_cms.serving import BACKLOG, fast_server


@contextmanager
def served() -> Iterator[tuple[str, str]]:
    """Serve until the block ends; yield the addresses: 127.0.0.1, and localhost's other port."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tools.bench.sources.server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        said = child.stdout.readline().split() if child.stdout else []
        if len(said) != 2:
            raise RuntimeError(f"the server ended at once with {child.wait()}")
        yield f"http://127.0.0.1:{said[0]}", f"http://localhost:{said[1]}"
    finally:
        child.terminate()
        child.communicate()


def main() -> None:
    """Say the two ports, then serve until the standard input ends."""
    listening = [socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) for _ in range(2)]
    server = fast_server(SourceApp(), until_stdin_ends=True)
    print(*(each.getsockname()[1] for each in listening), flush=True)
    server.run(listening)


if __name__ == "__main__":
    main()
