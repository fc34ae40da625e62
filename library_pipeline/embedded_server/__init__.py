"""The PostgreSQL server that is there by default: supervised, on a Unix socket, gone when unused.

`client` is what programs use; `supervisor` is the one detached process per data directory that is
the parent of postgres. docs/embedded-postgres.md says how they meet.
"""

from __future__ import annotations

from library_pipeline.embedded_server.client import EmbeddedServer, hold, stop
from library_pipeline.embedded_server.files import EmbeddedServerError

__all__ = ["EmbeddedServer", "EmbeddedServerError", "hold", "stop"]
