"""The service behind a real server on loopback, where the test client would not do."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from library_pipeline.web.service import Server


@contextmanager
def served(app: FastAPI, port: int = 0) -> Iterator[str]:
    """Serve `app` on loopback by a thread; yield its address."""
    config = uvicorn.Config(app, port=port, log_level="warning", timeout_graceful_shutdown=1)
    server = Server(config, app.state.feed)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while not server.started:
            assert thread.is_alive() and time.monotonic() < deadline
            time.sleep(0.02)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


@contextmanager
def serve_process(
    variables: Mapping[str, str], *, stderr: int | None = None
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run `serve` in a process of its own, which sees `variables` too; yield it and its port.

    Where it is comes on its `stdout`; it is killed in the end.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = f"from library_pipeline.web.service import serve; serve('127.0.0.1', {port})"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env={**os.environ, **variables},
    ) as process:
        try:
            yield process, port
        finally:
            process.kill()
