"""Asking the application as a server would: paths decoded once, bodies streamed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
from starlette.types import ASGIApp


def request(
    app: ASGIApp,
    method: str,
    address: str,
    *,
    body: AsyncIterator[bytes] | None = None,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """Return the answer of `app`; Starlette's test client reads bodies whole and decodes twice."""

    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, address, content=body, headers=headers)

    return asyncio.run(asked())
