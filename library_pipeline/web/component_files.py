"""The files of components: screenshots, thumbnails, texts, and the history of revisions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

import psycopg
from fastapi import APIRouter, Request, Response

from library_pipeline.bundles.store import BundleError, BundleStore
from library_pipeline.catalog.component import FILE_KINDS
from library_pipeline.index.write import thumbnails
from library_pipeline.search.browsing import Revision, component_revisions, screenshot_format
from library_pipeline.web.library import InLibrary, Library
from library_pipeline.web.problems import Problem, QuestionError

router = APIRouter()

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
# Only these types are served: a browser runs none of them.
_TYPES: Final = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
}
_UNKNOWN: Final = Problem(404, "No such screenshot", "no component shows a screenshot of this name")
_LOST: Final = Problem(
    404, "This file is lost", "the bundle store has no whole copy of it; a full refresh fetches it"
)
_UNREACHABLE: Final = Problem(503, "The bundle store does not answer", "try again in a moment")


@router.get("/screenshots/{sha256}", include_in_schema=False)
def screenshot(sha256: str, request: Request, library: InLibrary) -> Response:
    """Return the downloaded bytes of a screenshot."""
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
    """Return the bytes of a bundle's file. Raises QuestionError if the store lacks it."""
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
    """Whether the `If-None-Match` header names this digest."""
    known = request.headers.get("if-none-match", "")
    return any(tag.strip().removeprefix("W/") == f'"{sha256}"' for tag in known.split(","))


def file_headers(sha256: str, *, immutable: bool) -> dict[str, str]:
    """Return the headers of a bundle's file; `immutable` if its address holds the digest."""
    # A file that a browser opens directly may load nothing and run nothing.
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
    """Whether the bundle store has this picture; False if the store does not answer."""
    try:
        return bundles.has(sha256)
    except BundleError:
        return False


MAX_FILE_BYTES: Final = 64 * 1024
MAX_FACTS: Final = 200


@dataclass(frozen=True, slots=True)
class FileText:
    """A text file of a bundle, cut to fit on a page; `size` is that of the whole file in bytes."""

    kind: str
    text: str
    size: int
    cut: bool
    missing: bool = False


def file_text(bundles: BundleStore, kind: str, digest: str) -> FileText:
    """Return a file as text, with JSON indented; a lost file is marked `missing`."""
    try:
        data = bundles.get(digest)
    except BundleError:
        return FileText(kind, "", 0, cut=False, missing=True)
    text = data[:MAX_FILE_BYTES].decode("utf-8", errors="replace")
    cut = len(data) > MAX_FILE_BYTES
    return FileText(kind, text if cut else _indented(text), len(data), cut)


def json_of(bundles: BundleStore, digest: str) -> Any:
    """Return the value of a JSON file, or None if it is lost, too large or not JSON."""
    try:
        data = bundles.get(digest)
        return json.loads(data) if len(data) <= MAX_FILE_BYTES else None
    except (BundleError, ValueError, RecursionError):
        return None


def by_name(value: Any, names: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the values of nested JSON as texts, by their paths; at most `MAX_FACTS`."""
    if isinstance(value, Mapping) and value:
        inner = ((str(name), each) for name, each in value.items())
    elif isinstance(value, Sequence) and not isinstance(value, str) and value:
        inner = ((str(index), each) for index, each in enumerate(value, 1))
    else:
        return {" › ".join(names): in_words(value)} if names else {}
    found: dict[str, str] = {}
    for name, each in inner:
        if len(found) >= MAX_FACTS:
            break
        found |= by_name(each, (*names, name))
    return found


def in_words(value: Any) -> str:
    """Return a JSON value as a page shows it: a text unchanged, any other value as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _indented(text: str) -> str:
    if text.lstrip()[:1] not in ("{", "["):
        return text
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return text


MAX_REVISIONS: Final = 20


@dataclass(frozen=True, slots=True)
class RevisionChange:
    """A revision and the kinds of files that it changed; the `first` revision has none.

    `after` is the digest of its screenshot, `before` that of the replaced one; None if not kept.
    """

    revision: Revision
    changed: tuple[str, ...]
    after: str | None
    before: str | None
    first: bool


def component_history(
    connection: psycopg.Connection, bundles: BundleStore, component_id: str
) -> list[RevisionChange]:
    """Return a component's revisions, the latest first, at most `MAX_REVISIONS`."""
    found = component_revisions(connection, component_id, limit=MAX_REVISIONS)
    return [_change(bundles, each, earlier) for each, earlier in zip_longest(found, found[1:])]


def _change(bundles: BundleStore, each: Revision, earlier: Revision | None) -> RevisionChange:
    after = each.files.get("screenshot")
    if earlier is None:
        return RevisionChange(each, (), _kept_digest(bundles, after), None, first=True)
    changed = tuple(kind for kind in FILE_KINDS if each.files.get(kind) != earlier.files.get(kind))
    before = earlier.files.get("screenshot") if "screenshot" in changed else None
    return RevisionChange(
        each, changed, _kept_digest(bundles, after), _kept_digest(bundles, before), first=False
    )


def _kept_digest(bundles: BundleStore, digest: str | None) -> str | None:
    return digest if digest and is_kept(bundles, digest) else None
