"""Serve a simulated CMS: `python -m tools.simulated_cms --components 100000 --port 8100`."""

from __future__ import annotations

import argparse
import socket

from tools.simulated_cms.app import SimulatedCmsApp
from tools.simulated_cms.library import SimulatedLibrary
from tools.simulated_cms.serving import BACKLOG, fast_server


def main() -> None:
    """Serve until told to end; say the address on the standard output as soon as it answers."""
    options = _options()
    listening = socket.create_server(("127.0.0.1", options.port), backlog=BACKLOG)
    app = SimulatedCmsApp(SimulatedLibrary(options.components))
    server = fast_server(app, until_stdin_ends=options.until_stdin_ends)
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


if __name__ == "__main__":
    main()
