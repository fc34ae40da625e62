"""Receiving a body: its size is bounded while it streams in, not once it has arrived."""

from __future__ import annotations

from fastapi import Request
from starlette.types import Message

from library_pipeline.web.problems import Problem, QuestionError


def bounded(request: Request, limit: int, too_large: Problem) -> Request:
    """Return the request so that reading it raises QuestionError beyond `limit` bytes of body.

    Raises it at once where the request itself announces more.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise QuestionError(too_large)
    received = 0

    async def receive() -> Message:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise QuestionError(too_large)
        return message

    return Request(request.scope, receive)
