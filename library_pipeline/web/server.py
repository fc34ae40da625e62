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
    atlas,
    atlas_api,
    component_pages,
    duplicates,
    duplicates_api,
    pages,
    pictures,
    refresh_pages,
    refreshes,
    webhooks,
)
from library_pipeline.web.asking import Refreshing, missing_for_refreshes
from library_pipeline.web.errors import add_error_answers
from library_pipeline.web.events import Feed, feed_of
from library_pipeline.web.events import routes as events
from library_pipeline.web.library import library_over, warm_up
from library_pipeline.web.rendering import FOLDER
from library_pipeline.web.security import SecurityHeaders


def create_app(database: Database, settings: Settings) -> FastAPI:
    """Return the search page and its JSON twin over the library in `database`."""
    library = library_over(database, settings)
    refreshing = Refreshing.of(database, settings)
    feed = feed_of(refreshing)

    @asynccontextmanager
    async def warmed(_: FastAPI) -> AsyncIterator[None]:
        threading.Thread(target=warm_up, args=(library,), name="warm-up", daemon=True).start()
        yield
        feed.close()

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
    app.state.refreshing = refreshing
    app.state.feed = feed
    app.add_middleware(SecurityHeaders)
    add_error_answers(app)
    app.add_api_route("/healthz", _healthz, methods=["GET", "HEAD"], include_in_schema=False)
    # Events before refreshes, whose ids may have slashes.
    for part in (
        pages,
        component_pages,
        duplicates,
        atlas,
        refresh_pages,
        pictures,
        api,
        duplicates_api,
        atlas_api,
        events,
        refreshes,
        webhooks,
    ):
        app.include_router(part.router)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"))
    return app


def serve(host: str, port: int) -> None:
    """Serve the configured library; returns when the process is told to end."""
    settings = load_settings()
    with open_database(settings) as database:
        app = create_app(database, settings)
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            log_level="warning",
            timeout_graceful_shutdown=2,
        )
        with suppress(KeyboardInterrupt):  # Ctrl-C is how a person ends it
            _Announced(config, app.state.feed, missing_for_refreshes(database, settings)).run()


class Server(uvicorn.Server):
    """uvicorn, which ends the event streams at its end; by themselves they would outlast it."""

    def __init__(self, config: uvicorn.Config, feed: Feed) -> None:
        super().__init__(config)
        self._feed = feed

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then all else."""
        self._feed.close()
        await super().shutdown(sockets)


class _Announced(Server):
    """A server which says where it is once it answers there, and what refreshes lack."""

    def __init__(self, config: uvicorn.Config, feed: Feed, missing: str | None) -> None:
        super().__init__(config, feed)
        self._missing = missing

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then print the address."""
        await super().startup(sockets)
        if self.started:
            host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
            sys.stdout.write(f"search page: http://{host}:{self.config.port}/\n")
            sys.stdout.write(f"note: {self._missing}\n" if self._missing else "")
            sys.stdout.flush()


def _healthz() -> dict[str, str]:
    return {"status": "ok"}
