"""The PostgreSQL server that is there by default: supervised, on a Unix socket, gone when unused.

`client` is what programs use; `supervisor` is the one detached process per data directory that is
the parent of postgres. docs/embedded-postgres.md says how they meet.
"""

from library_pipeline.store.embedded.client import EmbeddedServer, hold, stop
from library_pipeline.store.embedded.errors import EmbeddedServerError

__all__ = ["EmbeddedServer", "EmbeddedServerError", "hold", "stop"]
