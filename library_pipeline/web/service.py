"""The service: pages and API as one application, its OpenAPI description, and serving it."""

from __future__ import annotations

import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import psycopg
import uvicorn
from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles

from library_pipeline import __version__
from library_pipeline.database.connection import Database, open_database, pooled
from library_pipeline.database.migrations import MigrationError, pending
from library_pipeline.index.encoders import active_encoders
from library_pipeline.settings import Settings, load_settings
from library_pipeline.shipped import shipped
from library_pipeline.web import (
    atlas_views,
    compare,
    component_files,
    component_views,
    duplicate_views,
    metrics,
    refresh_routes,
    search_views,
    sign_in,
    webhooks,
)
from library_pipeline.web.access import Access, AccessRules, ApiCors, read_keys
from library_pipeline.web.error_answers import add_error_answers
from library_pipeline.web.events import routes as events
from library_pipeline.web.events.feed import Feed, feed_of
from library_pipeline.web.hosts import SecurityHeaders, hosts, is_loopback
from library_pipeline.web.library import InLibrary, Library, library_over
from library_pipeline.web.metrics import RequestMetrics
from library_pipeline.web.refreshes import RefreshService, missing_for_refreshes
from library_pipeline.web.rendering import FOLDER, templates

_SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "One of web.api_keys."},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_TAGS: Final = (
    {"name": "search", "description": "Ask by text, picture or component."},
    {"name": "components", "description": "One component, and the components like it."},
    {"name": "webhooks", "description": "A CMS says that it has changed."},
)
_REFUSAL: Final = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
_METHODS: Final = frozenset({"get", "put", "post", "delete", "patch"})


def operation_id(route: APIRoute) -> str:
    """Return the name that a generated client gives to the function of `route`."""
    return route.name


def describe(app: FastAPI, *, keyed: bool) -> None:
    """Add the refusals to the OpenAPI description of `app`, and the keys if it is `keyed`."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app, keyed=keyed)
        return app.openapi_schema

    app.openapi = described  # FastAPI's way: https://fastapi.tiangolo.com/how-to/extending-openapi


def _described(app: FastAPI, *, keyed: bool) -> dict[str, Any]:
    schema = get_openapi(
        title=app.title,
        version=app.version,
        summary="Which of our components looks like this?",
        description="Every refusal is a JSON object with the one key `error`.",
        routes=app.routes,
        tags=list(_TAGS),
    )
    for path, operations in schema["paths"].items():
        has_secret = path.startswith("/api/webhooks/")
        for method, operation in operations.items():
            if method in _METHODS:
                _complete(method, operation, keyed=keyed and not has_secret)
    if keyed:
        schema["components"]["securitySchemes"] = dict(_SCHEMES)
    for name in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(name, None)
    return schema


def _complete(method: str, operation: dict[str, Any], *, keyed: bool) -> None:
    responses = operation["responses"]
    responses.pop("422", None)  # a wrong parameter is answered with 400
    if keyed:
        operation["security"] = [{name: []} for name in _SCHEMES]
        responses["401"] = {"description": "A key is needed", "content": _REFUSAL}
    if method != "get":
        reason = "The page that sent this is another site's"
        responses["403"] = {"description": reason, "content": _REFUSAL}


health = APIRouter(include_in_schema=False)


@health.api_route("/healthz", methods=["GET", "HEAD"])
async def healthz() -> dict[str, str]:
    """Answer that the process runs; reads nothing."""
    return {"status": "ok"}


@health.api_route("/readyz", methods=["GET", "HEAD"])
def readyz(library: InLibrary) -> Response:
    """Answer 200 if searches can be answered, else 503 with the reasons.

    A model that is still loading is no reason, since a search waits for it; a failed one is.
    """
    state, reasons = _readiness(library)
    return JSONResponse(
        {"ready": not reasons, **state, "reasons": reasons}, 503 if reasons else 200
    )


def _readiness(library: Library) -> tuple[dict[str, Any], list[str]]:
    try:
        with library.database.connect() as connection:
            behind = pending(connection, shipped("sql"))
            active = () if behind else active_encoders(connection)
    except psycopg.Error:
        return {"database": "down"}, ["the database does not answer"]
    except MigrationError:  # its message names files, and this path needs no key
        reason = "the database and this program do not fit together; `library-pipeline doctor`"
        return {"database": "up", "migrations": "unknown"}, [reason]
    if behind:
        reason = f"the database lacks {', '.join(behind)}; restart the service, which migrates it"
        return {"database": "up", "migrations": "pending"}, [reason]
    models = {each.name: library.models.state(each) for each in active}
    reasons = [
        f"the model of {name} cannot be loaded ({state.removeprefix('failed: ')}); the server's "
        "log has the reason"
        for name, state in models.items()
        if state.startswith("failed")
    ]
    return {"database": "up", "migrations": "current", "models": models}, reasons


# Events come before refreshes: a refresh's id may contain slashes.
_ROUTERS = (
    search_views.pages,
    component_views.pages,
    compare.router,
    component_files.router,
    search_views.api,
    component_views.api,
    duplicate_views.router,
    atlas_views.router,
    events.router,
    refresh_routes.router,
    webhooks.router,
    health,
    metrics.router,
    sign_in.router,
)


def create_app(database: Database, settings: Settings, *, listening: str | None = None) -> FastAPI:
    """Return the service over the library in `database`: its pages and its API.

    `listening` is the address that it listens on; without one, it answers under every host name.
    Raises SettingsError if the API keys cannot be read.
    """
    library = library_over(database, settings)
    refresh_service = RefreshService.of(database, settings)
    feed = feed_of(refresh_service)
    rules = AccessRules(
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
        docs_url=None,  # FastAPI's own pages load scripts from another site
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
    app.add_middleware(RequestMetrics, metrics=library.metrics)
    app.add_middleware(SecurityHeaders)
    add_error_answers(app)
    for router in _ROUTERS:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"))
    return app


def serve(host: str, port: int) -> None:
    """Serve the configured library until the process is told to end."""
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
        with suppress(KeyboardInterrupt):  # Ctrl-C is the usual way to end it
            _AnnouncingServer(
                config, app.state.feed, missing_for_refreshes(database, settings)
            ).run()


def _warn_of_strangers(host: str, settings: Settings) -> None:
    if settings.web.api_keys is None and not is_loopback(host):
        sys.stderr.write(
            f"WARNING: listening at {host} without API keys: everyone who reaches this machine can "
            "use and see everything here. Set web.api_keys, or listen at 127.0.0.1.\n"
        )


class Server(uvicorn.Server):
    """A uvicorn server that ends the open event streams at shutdown."""

    def __init__(self, config: uvicorn.Config, feed: Feed) -> None:
        super().__init__(config)
        self._feed = feed

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the event streams, then the server."""
        self._feed.close()
        await super().shutdown(sockets)


class _AnnouncingServer(Server):
    """A server that prints its address when it is ready, and what refreshes lack."""

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
