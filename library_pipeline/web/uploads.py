"""Receiving a picture, and the fields of the form that it came in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fastapi import Request
from starlette.datastructures import UploadFile

from library_pipeline.web.bodies import bounded
from library_pipeline.web.problems import Problem, QuestionError
from library_pipeline.web.questions import SEVERAL, Asked, Upload, asked

MAX_PICTURE_BYTES: Final = 20 * 1024 * 1024
_MAX_BODY_BYTES: Final = MAX_PICTURE_BYTES + 64 * 1024  # the form's other fields and boundaries
MAX_FIELDS: Final = 200
_TOO_LARGE: Final = Problem(
    413,
    "This picture is too large",
    f"a picture may have at most {MAX_PICTURE_BYTES // 2**20} MB; scale it down and try again",
)


async def uploaded(request: Request) -> tuple[Upload, Asked]:
    """Return the form's `picture` and its other fields (or the query's).

    Raises QuestionError where it has no picture, too large a one, or a field out of its limits.
    """
    received = bounded(request, _MAX_BODY_BYTES, _TOO_LARGE)
    async with received.form(max_files=1, max_fields=MAX_FIELDS, max_part_size=16 * 1024) as form:
        upload = await _picture(form.get("picture"))
        sent = {key: [str(each) for each in form.getlist(key)] for key in form if key != "picture"}
    query = request.query_params
    return upload, asked(_fields({key: query.getlist(key) for key in query} | sent))


def _fields(lists: Mapping[str, list[str]]) -> dict[str, str | list[str]]:
    """Return the values of keys that take several as lists, of the others the last one."""
    return {key: each if key in SEVERAL else each[-1] for key, each in lists.items() if each}


async def _picture(part: UploadFile | str | None) -> Upload:
    if not isinstance(part, UploadFile) or not part.filename:
        reason = "send a PNG, JPEG, WebP or GIF file as the form field `picture`"
        raise QuestionError(Problem(400, "There is no picture", reason))
    data = await part.read()
    if len(data) > MAX_PICTURE_BYTES:
        raise QuestionError(_TOO_LARGE)
    return Upload(part.filename[:200], data)
