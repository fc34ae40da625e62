"""The search page as an application, and serving it until the process is told to end."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import uvicorn
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from library_pipeline import __version__
from library_pipeline.settings import Settings, load_settings
from library_pipeline.store.database import Database, open_database
from library_pipeline.web import (
    api,
    compare_pages,
    component_pages,
    pages,
    pictures,
    webhooks,
)
from library_pipeline.web.errors import add_error_answers
from library_pipeline.web.library import library_over, warm_up
from library_pipeline.web.rendering import FOLDER
from library_pipeline.web.security import SecurityHeaders


def create_app(database: Database, settings: Settings) -> FastAPI:
    """Return the search page and its JSON twin over the library in `database`."""
    library = library_over(database, settings)

    @asynccontextmanager
    async def warmed(_: FastAPI) -> AsyncIterator[None]:
        threading.Thread(target=warm_up, args=(library,), name="warm-up", daemon=True).start()
        yield

    app = FastAPI(
        title="library-pipeline",
        version=__version__,
        lifespan=warmed,
        openapi_url="/api/openapi.json",
        docs_url=None,  # FastAPI's own pages load their scripts from elsewhere
        redoc_url=None,
    )
    app.state.library = library
    app.state.webhooks = settings.webhooks
    app.add_middleware(SecurityHeaders)
    add_error_answers(app)
    app.add_api_route("/healthz", _healthz, methods=["GET", "HEAD"], include_in_schema=False)
    for part in (pages, component_pages, compare_pages, pictures, api, webhooks):
        app.include_router(part.router)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"))
    return app


def serve(host: str, port: int) -> None:
    """Serve the configured library; returns when the process is told to end."""
    settings = load_settings()
    with open_database(settings) as database:
        config = uvicorn.Config(
            create_app(database, settings),
            host=host,
            port=port,
            log_level="warning",
            timeout_graceful_shutdown=2,
        )
        with suppress(KeyboardInterrupt):  # Ctrl-C is how a person ends it
            _Announced(config).run()


class _Announced(uvicorn.Server):
    """uvicorn, which says where it is once it answers there."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then print the address."""
        await super().startup(sockets)
        if self.started:
            host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
            sys.stdout.write(f"search page: http://{host}:{self.config.port}/\n")
            sys.stdout.flush()


def _healthz() -> dict[str, str]:
    return {"status": "ok"}
