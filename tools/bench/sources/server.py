"""The server in a process of its own, at two ports: `with served() as (one, other): ...`."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from tools.bench.sources.app import SourceApp

_BACKLOG = 2048


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
    listening = [socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG) for _ in range(2)]
    server = uvicorn.Server(
        uvicorn.Config(
            SourceApp(),
            http="httptools",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=_BACKLOG,
            timeout_keep_alive=300,
            timeout_graceful_shutdown=1,
        )
    )
    threading.Thread(target=_end_with_stdin, args=[server], daemon=True).start()
    print(*(each.getsockname()[1] for each in listening), flush=True)
    server.run(listening)


def _end_with_stdin(server: uvicorn.Server) -> None:
    sys.stdin.read()
    server.should_exit = server.force_exit = True


if __name__ == "__main__":
    main()
