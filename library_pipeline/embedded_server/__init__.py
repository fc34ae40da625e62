"""The default PostgreSQL server: supervised, on a Unix socket, stopped when no program uses it.

Programs use `client`. `supervisor` is the parent process of postgres, one detached process for
each data directory. docs/embedded-postgres.md describes both.
"""

from __future__ import annotations

from library_pipeline.embedded_server.client import EmbeddedServer, hold, stop
from library_pipeline.embedded_server.files import EmbeddedServerError

__all__ = ["EmbeddedServer", "EmbeddedServerError", "hold", "stop"]
