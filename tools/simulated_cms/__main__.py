"""Serve a simulated CMS: `python -m tools.simulated_cms --components 100000 --port 8100`."""

from __future__ import annotations

import argparse
import socket
import sys
import threading

import uvicorn

from tools.simulated_cms.app import SimulatedCmsApp
from tools.simulated_cms.library import SimulatedLibrary

_BACKLOG = 2048


def main() -> None:
    """Serve until told to end; say the address on the standard output as soon as it answers."""
    options = _options()
    listening = socket.create_server(("127.0.0.1", options.port), backlog=_BACKLOG)
    server = uvicorn.Server(
        uvicorn.Config(
            SimulatedCmsApp(SimulatedLibrary(options.components)),
            http="httptools",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=_BACKLOG,
            # Longer than any client keeps one: a connection closed under it would be a failure.
            timeout_keep_alive=300,
            timeout_graceful_shutdown=1,
        )
    )
    if options.until_stdin_ends:
        threading.Thread(target=_end_with_stdin, args=[server], daemon=True).start()
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    server.run([listening])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.simulated_cms", description=__doc__)
    parser.add_argument("--components", type=int, default=100_000)
    parser.add_argument("--port", type=int, default=8100, help="0 takes any that is free")
    parser.add_argument(
        "--until-stdin-ends",
        action="store_true",
        help="end with the process that holds the standard input's other end, however that ends",
    )
    return parser.parse_args()


def _end_with_stdin(server: uvicorn.Server) -> None:
    sys.stdin.read()
    server.should_exit = server.force_exit = True


if __name__ == "__main__":
    main()
