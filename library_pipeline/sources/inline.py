"""URLs that only this program makes: `data:` (RFC 2397) for inline files, `file:` for paths."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from library_pipeline.catalog.component import FileKind, FileRef

_SCHEME: Final = "data:"
_ANY_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
NEVER_IN_A_FILE_URL: Final = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")

_MEDIA_TYPES: Final[dict[FileKind, str]] = {
    "config": "application/json",
    "format": "text/plain;charset=utf-8",
    "records": "application/json",
    "screenshot": "application/octet-stream",
}
_JSON_KINDS: Final = frozenset[FileKind]({"config", "records"})
_NOTHING: Final[dict[FileKind, str]] = {"config": "{}", "format": "", "records": "[]"}


def inline_file(kind: FileKind, value: object) -> FileRef:
    """Return a file with `value`: text as it is, anything else as JSON.

    In a file that must be JSON, other text becomes a JSON string.
    """
    text = value if isinstance(value, str) else _as_json(value)
    if isinstance(value, str) and kind in _JSON_KINDS and not _is_json(text):
        text = _as_json(value)
    return FileRef(data_url(text.encode("utf-8", "replace"), _MEDIA_TYPES[kind]))


def empty_file(kind: FileKind) -> FileRef:
    """Return an empty file of a kind that a source lacks: `{}`, no text, or no records."""
    return FileRef(data_url(_NOTHING[kind].encode(), _MEDIA_TYPES[kind]))


def data_url(data: bytes, media_type: str) -> str:
    """Return a `data:` URL with `data`."""
    return f"{_SCHEME}{media_type},{quote_from_bytes(data, safe=_UNQUOTED)}"


def is_data_url(url: str) -> bool:
    """Return whether a URL holds the file itself."""
    return url.startswith(_SCHEME)


def data_in(url: str) -> bytes:
    """Return the bytes in a `data:` URL; raises ValueError."""
    header, comma, body = url.removeprefix(_SCHEME).partition(",")
    if not comma:
        raise ValueError("a data: URL has a comma before its data")
    data = unquote_to_bytes(body)
    if not header.endswith(";base64"):
        return data
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise ValueError(f"its base64 is broken ({error})") from None


# These need no quotes, as the URL is never part of a page; it stands in a column of JSON.
_UNQUOTED: Final = " !\"$&'()*+,-./:;<=>?@[]^_`{|}~"


# Made once, as `json.dumps` with options makes an encoder each time.
_as_json: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def item_file_url(reference: str, base: str) -> str:
    """Return the URL of a file that an item at the `file:` URL `base` refers to.

    A reference with a scheme is a URL already; any other is a path, in which `#`, `?`, `%` and
    spaces stand for themselves. The path may lead anywhere; LocalFiles checks it.
    """
    if _ANY_SCHEME.match(reference) or NEVER_IN_A_FILE_URL.search(reference):
        return reference
    path = quote_from_bytes(os.fsencode(reference))
    folder = base.rpartition("/")[0]
    return f"file://{path}" if path.startswith("/") else f"{folder}/{path}"
