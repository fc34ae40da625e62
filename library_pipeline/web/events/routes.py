"""Routes of the feed: `/api/refreshes/events` for all refreshes, `.../{id}/events` for one.

Each address answers `GET` with server-sent events. A WebSocket at the same address gets the same
events. The access middleware wraps the application and checks both kinds of request.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Request, WebSocket
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from library_pipeline.web.events.feed import Feed, Subscriber, TooManySubscribersError
from library_pipeline.web.problems import Problem, QuestionError
from library_pipeline.web.refreshes import InRefreshService, RefreshService
from library_pipeline.web.search_views import refusals

router = APIRouter(prefix="/api/refreshes", tags=["refreshes"])
RECONNECT_MILLISECONDS: Final = 1000
_STREAM: Final = "text/event-stream"
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_REFUSALS = refusals(403, 404, 406, 503)
_STREAMED = {200: {"content": {_STREAM: {}}, "description": "Events until either side ends it."}}
After = Annotated[str | None, Query(max_length=100, description="The id of the last event seen.")]


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={**_REFUSALS, **_STREAMED},
)
async def stream_all(
    request: Request,
    after: After = None,
    last_event_id: Annotated[str | None, Header(max_length=100)] = None,
) -> Response:
    """Stream the states of refreshes: the current ones, then each that changes."""
    return await _stream(request, None, last_event_id or after)


@router.get(
    "/{refresh_id:path}/events",
    response_class=StreamingResponse,
    responses={**_REFUSALS, **_STREAMED},
)
async def stream_one(
    request: Request,
    refresh_id: str,
    service: InRefreshService,
    after: After = None,
    last_event_id: Annotated[str | None, Header(max_length=100)] = None,
) -> Response:
    """Stream the states of one refresh."""
    await run_in_threadpool(service.find, refresh_id)
    return await _stream(request, refresh_id, last_event_id or after)


@router.websocket("/events")
async def talk_of_all(websocket: WebSocket, service: InRefreshService, after: After = None) -> None:
    """Send the states of refreshes."""
    await _talk(websocket, service, None, after)


@router.websocket("/{refresh_id:path}/events")
async def talk_of_one(
    websocket: WebSocket, refresh_id: str, service: InRefreshService, after: After = None
) -> None:
    """Send the states of one refresh."""
    await _talk(websocket, service, refresh_id, after)


async def _stream(request: Request, refresh_id: str | None, after: str | None) -> Response:
    accepted = request.headers.get("accept", "*/*")
    if not any(kind in accepted for kind in (_STREAM, "text/*", "*/*")):
        reason = f"this address answers with {_STREAM}; /api/refreshes answers with JSON"
        raise QuestionError(Problem(406, "These are events", reason))
    stack = AsyncExitStack()
    subscriber = await _subscribed(stack, request, refresh_id, after)
    return _EventStream(stack, subscriber)


class _EventStream(StreamingResponse):
    """The events of a subscriber. The subscription ends with the response."""

    def __init__(self, stack: AsyncExitStack, subscriber: Subscriber) -> None:
        super().__init__(_lines(subscriber), media_type=_STREAM, headers=_HEADERS)
        self._stack = stack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the client or the server ends the stream."""
        async with self._stack:
            await super().__call__(scope, receive, send)


async def _lines(subscriber: Subscriber) -> AsyncIterator[str]:
    yield f"retry: {RECONNECT_MILLISECONDS}\n\n"
    async for event in subscriber.events():
        yield event.as_sse()


async def _talk(
    websocket: WebSocket, service: RefreshService, refresh_id: str | None, after: str | None
) -> None:
    async with AsyncExitStack() as stack:
        try:
            if refresh_id is not None:
                await run_in_threadpool(service.find, refresh_id)
            subscriber = await _subscribed(stack, websocket, refresh_id, after)
        except QuestionError as error:
            await _refuse(websocket, error.problem)
            return
        await websocket.accept()
        sending = asyncio.create_task(_send(websocket, subscriber))
        gone = asyncio.create_task(_wait_until_gone(websocket))
        await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
        for task in (sending, gone):
            task.cancel()
        await asyncio.gather(sending, gone, return_exceptions=True)


async def _subscribed(
    stack: AsyncExitStack, connection: HTTPConnection, refresh_id: str | None, after: str | None
) -> Subscriber:
    feed: Feed = connection.app.state.feed
    try:
        return await stack.enter_async_context(feed.subscribe(refresh_id, after))
    except TooManySubscribersError as error:
        raise QuestionError(Problem(503, "Too many watch", str(error))) from None


async def _send(websocket: WebSocket, subscriber: Subscriber) -> None:
    async for event in subscriber.events():
        await websocket.send_text(event.as_message())
    await websocket.close(1001, "the server is shutting down")


async def _wait_until_gone(websocket: WebSocket) -> None:
    """Return when the client is gone. What it sends is ignored."""
    try:
        while True:
            await websocket.receive_text()
    except (WebSocketDisconnect, KeyError):
        return


async def _refuse(websocket: WebSocket, problem: Problem) -> None:
    """Refuse a handshake, with a JSON answer like that of other routes where the server can."""
    if "websocket.http.response" in websocket.scope.get("extensions", {}):
        body = {"error": f"{problem.title}: {problem.reason}"}
        await websocket.send_denial_response(JSONResponse(body, problem.status))
    else:
        await websocket.close(1008, problem.title)
