"""Running the sample CMS: `serve` in the foreground, `SampleCms` in a thread beside a test."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from library_pipeline.sample_cms.app import create_app
from library_pipeline.sample_cms.faults import Faults

_Protocol: Any = AutoHTTPProtocol  # one of two classes; the installed packages decide


class HangUpProtocol(_Protocol):
    """uvicorn's protocol, extended so that the sample CMS can misbehave.

    The application can close its own connection and write raw bytes to it.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Offer `transport.close` and `transport.write` to every request of this connection."""
        super().connection_made(transport)
        unruly = {"hang_up": transport.close, "write": transport.write}
        self.app_state = {**self.app_state, **unruly}


def serve(
    folder: str | os.PathLike[str],
    host: str = "127.0.0.1",
    port: int = 8100,
    token: str | None = None,
    *,
    allow_faults: bool = False,
) -> None:
    """Serve `folder` until Ctrl-C or SIGTERM."""
    app = create_app(folder, token=token, allow_faults=allow_faults)
    _server(app, host, port, log_level="info").run()


class SampleCms:
    """The CMS on a loopback port, in a thread: `with SampleCms(folder) as cms: cms.url`."""

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        token: str | None = None,
        port: int = 0,
        base_url: str | None = None,
        faults: Faults | None = None,
        allow_faults: bool = False,
    ) -> None:
        self.folder = Path(folder)
        self.token = token
        self._app = create_app(
            folder, token=token, base_url=base_url, faults=faults, allow_faults=allow_faults
        )
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server = _server(self._app, "127.0.0.1", port, log_level="error")
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="sample-cms", daemon=True
        )

    @property
    def faults(self) -> Faults:
        """The active faults; an assignment also resets the counts that trigger them."""
        return self._app.state.switchboard.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._app.state.switchboard.set(faults)

    @property
    def requests(self) -> Counter[str]:
        """The number of requests for each path; `clear()` resets it."""
        return self._app.state.requests

    def start(self) -> Self:
        """Start serving; returns when the port answers."""
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError(f"the sample CMS could not start at {self.url}")
            time.sleep(0.002)
        return self

    def stop(self) -> None:
        """Stop serving without waiting for open requests; returns when the port is closed."""
        self._server.should_exit = self._server.force_exit = True
        # The thread ends a moment later; no caller needs to wait for it.
        while self._thread.is_alive() and any(s.is_serving() for s in self._server.servers):
            time.sleep(0.002)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def _server(app: Starlette, host: str, port: int, log_level: str) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http=HangUpProtocol,
            ws="none",
            lifespan="off",
            log_level=log_level,
            access_log=False,
            timeout_graceful_shutdown=2,
        )
    )
