"""An ASGI application served as fast as can be: what is measured beside it shall not wait."""

from __future__ import annotations

import sys
import threading
from typing import Any, Final

import uvicorn

BACKLOG: Final = 2048


def fast_server(app: Any, *, until_stdin_ends: bool) -> uvicorn.Server:
    """Return a server for `app`, to be run in a process of its own."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            # Longer than any client keeps one: a connection closed under it would be a failure.
            timeout_keep_alive=300,
            timeout_graceful_shutdown=1,
        )
    )
    if until_stdin_ends:
        threading.Thread(target=_end_with_stdin, args=[server], daemon=True).start()
    return server


def _end_with_stdin(server: uvicorn.Server) -> None:
    sys.stdin.read()
    server.should_exit = server.force_exit = True
