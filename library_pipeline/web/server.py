"""The search page as an application, and serving it until the process is told to end."""

from __future__ import annotations

import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import uvicorn
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from library_pipeline import __version__
from library_pipeline.database.connection import Database, open_database, pooled
from library_pipeline.settings import Settings, load_settings
from library_pipeline.web import (
    api,
    api_components,
    atlas,
    compare_pages,
    component_pages,
    duplicates,
    health,
    metrics,
    pages,
    pictures,
    refresh_routes,
    sign_in,
    webhooks,
)
from library_pipeline.web.access import Access, ApiCors, Rules
from library_pipeline.web.errors import add_error_answers
from library_pipeline.web.events import routes as events
from library_pipeline.web.events.feed import Feed, feed_of
from library_pipeline.web.hosts import hosts, is_loopback
from library_pipeline.web.keys import read_keys
from library_pipeline.web.library import library_over
from library_pipeline.web.metrics import Measured
from library_pipeline.web.openapi import describe, operation_id
from library_pipeline.web.refreshes import RefreshService, missing_for_refreshes
from library_pipeline.web.rendering import FOLDER, templates
from library_pipeline.web.security import SecurityHeaders

# Events before refreshes, whose ids may have slashes.
_PARTS = (
    pages,
    component_pages,
    compare_pages,
    pictures,
    api,
    api_components,
    duplicates,
    atlas,
    events,
    refresh_routes,
    webhooks,
    health,
    metrics,
    sign_in,
)


def create_app(database: Database, settings: Settings, *, listening: str | None = None) -> FastAPI:
    """Return the search page and its JSON twin over the library in `database`.

    `listening` is the address that it will be served at. Without, it is asked in this process and
    answers under any name. Raises SettingsError where the API keys cannot be read.
    """
    library = library_over(database, settings)
    refresh_service = RefreshService.of(database, settings)
    feed = feed_of(refresh_service)
    rules = Rules(
        hosts(listening, settings.web.allowed_hosts) if listening is not None else None,
        frozenset(settings.web.cors_origins),
        read_keys(settings.web),
    )

    @asynccontextmanager
    async def warmed(_: FastAPI) -> AsyncIterator[None]:
        library.models.load_in_background()
        library.facets.read_in_background()
        yield
        feed.close()

    app = FastAPI(
        title="library-pipeline",
        version=__version__,
        lifespan=warmed,
        openapi_url="/api/openapi.json",
        docs_url=None,  # FastAPI's own pages load their scripts from elsewhere
        redoc_url=None,
        generate_unique_id_function=operation_id,
    )
    describe(app, keyed=rules.keys is not None)
    app.state.library = library
    app.state.metrics = library.metrics
    app.state.templates = templates(library.max_picture_bytes)
    app.state.webhooks = settings.webhooks
    app.state.refresh_service = refresh_service
    app.state.feed = feed
    app.state.keys = rules.keys
    app.add_middleware(Access, rules=rules)
    if rules.origins:
        app.add_middleware(ApiCors, origins=rules.origins)
    app.add_middleware(Measured, metrics=library.metrics)
    app.add_middleware(SecurityHeaders)
    add_error_answers(app)
    for part in _PARTS:
        app.include_router(part.router)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"))
    return app


def serve(host: str, port: int) -> None:
    """Serve the configured library; returns when the process is told to end."""
    settings = load_settings()
    with (
        open_database(settings) as database,
        pooled(database, settings.web.connections) as kept,
    ):
        _warn_of_strangers(host, settings)
        app = create_app(kept, settings, listening=host)
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            log_level="warning",
            timeout_graceful_shutdown=2,
        )
        with suppress(KeyboardInterrupt):  # Ctrl-C is how a person ends it
            _Announced(config, app.state.feed, missing_for_refreshes(database, settings)).run()


def _warn_of_strangers(host: str, settings: Settings) -> None:
    if settings.web.api_keys is None and not is_loopback(host):
        sys.stderr.write(
            f"WARNING: listening at {host} without API keys: whoever reaches this machine can use "
            "and see everything here. Set web.api_keys, or listen at 127.0.0.1.\n"
        )


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
