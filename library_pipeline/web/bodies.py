"""Receiving a body: its size is bounded while it streams in, not once it has arrived."""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import Request
from starlette.types import Message

from library_pipeline.web.problems import Problem, QuestionError

# So much more than is taken is let in and thrown away: who is cut off while sending seldom reads
# why. Beyond that the connection is closed.
_GRACE: Final = 4
CUT_OFF: Final = "library.cut_off"  # in the scope of a request whose connection is to be closed
# A connection that trickles holds a socket and no thread, but not for ever.
PATIENCE_SECONDS: Final = 30.0
LEAST_RATE: Final = 32 * 1024  # bytes a second, on the whole
_TOO_SLOW: Final = Problem(
    408,
    "This request took too long to arrive",
    f"its body must come in with at least {LEAST_RATE // 1024} kB a second",
)


def bounded(request: Request, limit: int, too_large: Problem) -> Request:
    """Return the request so that reading it raises QuestionError beyond `limit` bytes of body.

    Raises it at once where the request itself announces more, and where the body comes in slower
    than `LEAST_RATE` over more than `PATIENCE_SECONDS`.
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
            async with asyncio.timeout_at(begun + PATIENCE_SECONDS + received / LEAST_RATE):
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
