"""What a user reads when the embedded server cannot do its work."""

from __future__ import annotations


class EmbeddedServerError(RuntimeError):
    """The embedded PostgreSQL cannot be started or used; the message names the way out."""
