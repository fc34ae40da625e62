"""Screenshots as the CMS gave them, and their thumbnails; content-addressed, so cached for good."""

from __future__ import annotations

import re
from typing import Final

from fastapi import APIRouter, Request, Response

from library_pipeline.bundles.store import BundleError, BundleStore
from library_pipeline.index.write import thumbnails
from library_pipeline.web.browse import screenshot_format
from library_pipeline.web.library import InLibrary, Library
from library_pipeline.web.problems import Problem, QuestionError

router = APIRouter()

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
# Only these are ever named as a type: what a browser would run is never served as what it is.
_TYPES: Final = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
}
_UNKNOWN: Final = Problem(404, "No such screenshot", "no component shows a screenshot of this name")
_LOST: Final = Problem(
    404, "This file is lost", "it is not whole in the bundle store; a full refresh fetches it"
)
_UNREACHABLE: Final = Problem(503, "The bundle store does not answer", "try again in a moment")


@router.get("/screenshots/{sha256}", include_in_schema=False)
def screenshot(sha256: str, request: Request, library: InLibrary) -> Response:
    """Return a screenshot's bytes as they were downloaded."""
    with library.database.connect() as connection:
        format_ = screenshot_format(connection, _digest(sha256))
    if format_ not in _TYPES:
        raise QuestionError(_UNKNOWN)
    if is_known(request, sha256):
        return _unchanged(sha256)
    data = stored(library, sha256)
    return Response(data, headers=_headers(sha256), media_type=_TYPES[format_])


@router.get("/thumbnails/{sha256}", include_in_schema=False)
def thumbnail(sha256: str, request: Request, library: InLibrary) -> Response:
    """Return a screenshot's thumbnail, a WebP of at most 160 x 120 pixels."""
    with library.database.connect() as connection:
        data = thumbnails(connection, [_digest(sha256)]).get(sha256)
    if data is None:
        raise QuestionError(_UNKNOWN)
    if is_known(request, sha256):
        return _unchanged(sha256)
    return Response(data, headers=_headers(sha256), media_type="image/webp")


def stored(library: Library, sha256: str) -> bytes:
    """Return a bundle's file. Raises QuestionError where the store does not give it."""
    try:
        return library.bundles.get(sha256)
    except BundleError as error:
        lost = error.code in ("bundle.missing", "bundle.corrupt")
        raise QuestionError(_LOST if lost else _UNREACHABLE) from error


def _digest(sha256: str) -> str:
    if not _DIGEST.fullmatch(sha256):
        raise QuestionError(_UNKNOWN)
    return sha256


def is_known(request: Request, sha256: str) -> bool:
    """Whether whoever asks has the file of this digest already."""
    known = request.headers.get("if-none-match", "")
    return any(tag.strip().removeprefix("W/") == f'"{sha256}"' for tag in known.split(","))


def file_headers(sha256: str, *, immutable: bool) -> dict[str, str]:
    """Return the headers of a bundle's file; `immutable` where its address has the digest."""
    # Opened on its own, a file may load nothing and run nothing.
    return {
        "ETag": f'"{sha256}"',
        "Cache-Control": "private, max-age=31536000, immutable" if immutable else "no-cache",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }


def _unchanged(sha256: str) -> Response:
    return Response(status_code=304, headers=_headers(sha256))


def _headers(sha256: str) -> dict[str, str]:
    return file_headers(sha256, immutable=True)


def is_kept(bundles: BundleStore, sha256: str) -> bool:
    """Whether the bundle store has this picture; one that cannot be asked has none to show."""
    try:
        return bundles.has(sha256)
    except BundleError:
        return False
