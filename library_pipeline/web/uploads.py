"""Receiving a picture, and the fields of the form that it came in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import Request
from starlette.datastructures import UploadFile

from library_pipeline.web.bodies import bounded
from library_pipeline.web.library import Library
from library_pipeline.web.problems import Problem, QuestionError
from library_pipeline.web.questions import SEVERAL, Asked, Upload, asked

MAX_FIELDS: Final = 200
_AROUND: Final = 64 * 1024  # bytes of the form's other fields and boundaries
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
                        **Asked.model_json_schema()["properties"],
                    },
                }
            }
        },
    }
}


async def uploaded(request: Request) -> tuple[Upload, Asked]:
    """Return the form's `picture` and its other fields (or the query's).

    Raises QuestionError where it has no picture, too large a one, or a field out of its limits.
    """
    library: Library = request.app.state.library
    limit = library.max_picture_bytes
    try:
        return await _read(bounded(request, limit + _AROUND, _too_large(limit)), limit)
    except UnicodeError:  # the request names a charset that its fields are not written in
        library.metrics.upload_refused("bad_question")
        raise QuestionError(_BAD_CHARSET) from None
    except QuestionError as error:
        reason = "no_picture" if error.problem is _NO_PICTURE else "bad_question"
        library.metrics.upload_refused(_REASONS.get(error.problem.status, reason))
        raise


async def _read(request: Request, limit: int) -> tuple[Upload, Asked]:
    async with request.form(max_files=1, max_fields=MAX_FIELDS, max_part_size=16 * 1024) as form:
        upload = await _picture(form.get("picture"), limit)
        sent = {key: [str(each) for each in form.getlist(key)] for key in form if key != "picture"}
    query = request.query_params
    return upload, asked(_fields({key: query.getlist(key) for key in query} | sent))


def _fields(lists: Mapping[str, list[str]]) -> dict[str, str | list[str]]:
    """Return the values of keys that take several as lists, of the others the last one."""
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
    # A form may name a charset in which halves of characters can be written.
    return Upload(part.filename[:200].encode(errors="replace").decode(), data)
