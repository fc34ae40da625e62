"""Sign-in and sign-out pages: a key becomes a session in the browser."""

from __future__ import annotations

import time
from typing import Final
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from library_pipeline.web.access import COOKIE, SESSION_SECONDS, Keys
from library_pipeline.web.problems import Problem
from library_pipeline.web.rendering import page
from library_pipeline.web.uploads import bounded

router = APIRouter(include_in_schema=False)

_MAX_BODY: Final = 16 * 1024
_TOO_LARGE: Final = Problem(413, "This is too much for a key", "send the key alone")
_log = structlog.get_logger(__name__)


@router.get("/sign-in")
def ask_for_key(request: Request, next: str = "/") -> Response:
    """Show the form for a key; redirect to the search page if no keys are configured."""
    if request.app.state.keys is None:
        return RedirectResponse("/", 303)
    return page(request, "sign-in.html", frame=None, next=_local_url(next), refused=False)


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Start a session if the form's `key` is right, and redirect to the page in `next`."""
    keys: Keys | None = request.app.state.keys
    async with bounded(request, _MAX_BODY, _TOO_LARGE).form(max_files=0, max_fields=10) as form:
        key, wanted = str(form.get("key") or "").strip(), _local_url(str(form.get("next") or "/"))
    if keys is None:
        return RedirectResponse("/", 303)
    session = keys.session(key.encode("utf-8", "replace"), time.time())
    if session is None:
        _log.warning("web.sign_in_refused", client=request.client.host if request.client else "")
        values = {"frame": None, "next": wanted, "refused": True}
        return page(request, "sign-in.html", status=401, **values)
    answer = RedirectResponse(wanted, 303)
    answer.set_cookie(
        COOKIE,
        session,
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/sign-out")
def sign_out() -> Response:
    """End this browser's session."""
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer


def _local_url(wanted: str) -> str:
    """Return `wanted` if it is an address on this service, else the search page's."""
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return "/"
    own = wanted.startswith("/") and not (parts.scheme or parts.netloc)
    plain = wanted.isprintable() and wanted.isascii() and "\\" not in wanted
    return wanted if own and plain and not wanted.startswith("//") else "/"
