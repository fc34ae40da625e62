"""Uploads: reads a picture and the other fields of its form, bounded in size and time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.types import Message

from library_pipeline.web.library import Library
from library_pipeline.web.problems import Problem, QuestionError
from library_pipeline.web.questions import SEVERAL, SearchTerms, Upload, parse_terms

# A body up to this many times too large is read and discarded, because a client that is cut off
# while it sends rarely reads the answer. The connection of a larger one is closed.
_GRACE: Final = 4
CUT_OFF: Final = "library.cut_off"  # set in the scope of a request whose connection must close
# A slow upload holds a socket but no thread; this bounds how long.
PATIENCE_SECONDS: Final = 30.0
MIN_RATE: Final = 32 * 1024  # bytes per second, on average
_TOO_SLOW: Final = Problem(
    408,
    "This request took too long to arrive",
    f"send its body with at least {MIN_RATE // 1024} kB a second",
)


def bounded(request: Request, limit: int, too_large: Problem) -> Request:
    """Return `request` with a bounded body: reading more than `limit` bytes raises QuestionError.

    Raises it at once if Content-Length exceeds the limit. Reading also raises it if the body is
    slower than `MIN_RATE` for longer than `PATIENCE_SECONDS`.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > limit:
        request.scope[CUT_OFF] = int(announced[:20]) > _GRACE * limit
        raise QuestionError(too_large)
    received = 0
    begun: float | None = None

    async def receive() -> Message:
        nonlocal received, begun
        now = asyncio.get_running_loop().time()
        begun = now if begun is None else begun
        try:
            async with asyncio.timeout_at(begun + PATIENCE_SECONDS + received / MIN_RATE):
                message = await request.receive()
        except TimeoutError:
            request.scope[CUT_OFF] = True
            raise QuestionError(_TOO_SLOW) from None
        received += len(message.get("body", b""))
        if received > limit:
            request.scope[CUT_OFF] = True
            raise QuestionError(too_large)
        return message

    return Request(request.scope, receive)


MAX_FIELDS: Final = 200
_FORM_BYTES: Final = 64 * 1024  # for the form's other fields and boundaries
_REASONS: Final = {408: "too_slow", 413: "too_large"}
_BAD_CHARSET: Final = Problem(
    400, "This form cannot be read", "its fields are not in the charset it names; send UTF-8"
)
_NO_PICTURE: Final = Problem(
    400,
    "There is no picture",
    "send a PNG, JPEG, WebP or GIF file as the form field `picture`",
)

FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["picture"],
                    "properties": {
                        "picture": {
                            "type": "string",
                            "format": "binary",
                            "description": "A PNG, JPEG, WebP or GIF file.",
                        },
                        **SearchTerms.model_json_schema()["properties"],
                    },
                }
            }
        },
    }
}


async def uploaded(request: Request) -> tuple[Upload, SearchTerms]:
    """Return the form's `picture`, and its other fields together with the query's.

    Raises QuestionError if the picture is missing or too large, or a field is out of its limits.
    """
    library: Library = request.app.state.library
    limit = library.max_picture_bytes
    try:
        return await _read_form(bounded(request, limit + _FORM_BYTES, _too_large(limit)), limit)
    except UnicodeError:  # the fields are not in the charset that the request names
        library.metrics.upload_refused("bad_question")
        raise QuestionError(_BAD_CHARSET) from None
    except QuestionError as error:
        reason = "no_picture" if error.problem is _NO_PICTURE else "bad_question"
        library.metrics.upload_refused(_REASONS.get(error.problem.status, reason))
        raise


async def _read_form(request: Request, limit: int) -> tuple[Upload, SearchTerms]:
    async with request.form(max_files=1, max_fields=MAX_FIELDS, max_part_size=16 * 1024) as form:
        upload = await _picture(form.get("picture"), limit)
        sent = {key: [str(each) for each in form.getlist(key)] for key in form if key != "picture"}
    query = request.query_params
    return upload, parse_terms(_form_fields({key: query.getlist(key) for key in query} | sent))


def _form_fields(lists: Mapping[str, list[str]]) -> dict[str, str | list[str]]:
    """Return all values of keys that take several, and the last value of each other key."""
    return {key: each if key in SEVERAL else each[-1] for key, each in lists.items() if each}


def _too_large(limit: int) -> Problem:
    return Problem(
        413,
        "This picture is too large",
        f"a picture may have at most {limit // 2**20} MB; scale it down and try again",
    )


async def _picture(part: UploadFile | str | None, limit: int) -> Upload:
    if not isinstance(part, UploadFile) or not part.filename:
        raise QuestionError(_NO_PICTURE)
    data = await part.read()
    if len(data) > limit:
        raise QuestionError(_too_large(limit))
    # Some charsets allow half a surrogate pair in the name.
    return Upload(part.filename[:200].encode(errors="replace").decode(), data)
