"""Which page has a browser ask: what changes something, or tells much, is for our own pages."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from library_pipeline.web.problems import Problem, QuestionError

_FOREIGN: Final = Problem(
    403,
    "Another site's page has asked this",
    "only the service's own pages, programs and the origins in web.cors_origins may",
)


def require_own_origin(connection: HTTPConnection, allowed: Collection[str]) -> None:
    """Raise QuestionError if a page of an origin that is not `allowed` has a browser ask.

    Programs other than browsers send neither header. (Fetch standard, 3.2; Fetch Metadata)
    """
    origin = connection.headers.get("origin")
    if origin in allowed:
        return
    site = connection.headers.get("sec-fetch-site")
    if site in ("same-origin", "none"):
        return
    ours = origin is None or urlsplit(origin).netloc == connection.headers.get("host")
    if site is not None or not ours:
        raise QuestionError(_FOREIGN)
