"""Requests that nobody thought of, made from the API's own description.

A short run; `LIBRARY_TEST_FUZZ=2000` makes it a long one.
"""

from __future__ import annotations

import os
from typing import Any

import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

EXAMPLES = int(os.environ.get("LIBRARY_TEST_FUZZ", "10"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def test_every_answer_is_one_that_the_description_tells_of(client: TestClient) -> None:
    """Of every operation but streams of events, which have no end."""
    described = schemathesis.openapi.from_asgi("/api/openapi.json", client.app)
    asked: set[str] = set()
    for found in described.get_all_operations():
        operation = found.ok()
        if operation.path.endswith("/events"):
            continue

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def answers(case: Any) -> None:
            case.call_and_validate(checks=CHECKS)

        answers()
        asked.add(f"{operation.method.upper()} {operation.path}")
    assert {"GET /api/search", "POST /api/search", "GET /api/facets"} <= asked
