"""The API's description, as precise as what a client is generated from needs."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

_SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "One of web.api_keys."},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_TAGS: Final = (
    {"name": "search", "description": "Ask by text, picture or component."},
    {"name": "components", "description": "What is indexed of one component, and what is like it."},
    {"name": "webhooks", "description": "A CMS says that it has changed."},
)
_REFUSAL: Final = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
_METHODS: Final = frozenset({"get", "put", "post", "delete", "patch"})


def operation_id(route: APIRoute) -> str:
    """Return the name that a generated client's function gets."""
    return route.name


def describe(app: FastAPI, *, keyed: bool) -> None:
    """Have `app` describe itself with its refusals and, where it is `keyed`, how keys are sent."""

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
        own_proof = path.startswith("/api/webhooks/")
        for method, operation in operations.items():
            if method in _METHODS:
                _complete(method, operation, keyed=keyed and not own_proof)
    if keyed:
        schema["components"]["securitySchemes"] = dict(_SCHEMES)
    for name in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(name, None)
    return schema


def _complete(method: str, operation: dict[str, Any], *, keyed: bool) -> None:
    responses = operation["responses"]
    responses.pop("422", None)  # what is wrong with a question is answered with 400
    if keyed:
        operation["security"] = [{name: []} for name in _SCHEMES]
        responses["401"] = {"description": "A key is needed", "content": _REFUSAL}
    if method != "get":
        reason = "The page that sent this is another site's"
        responses["403"] = {"description": reason, "content": _REFUSAL}
