"""Requests that nobody thought of, made from the API's own description.

A short run that is always the same; `make fuzz` makes many more.
"""

from __future__ import annotations

import os
from typing import Any

import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

SHORT = 10
EXAMPLES = int(os.environ.get("LIBRARY_TEST_FUZZ", SHORT))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


# Of these something can be wrong that the description forbids.
FORBIDDEN = ("/api/search", "/api/components/{component_id}/similar")


def test_every_answer_is_one_that_the_description_tells_of(client: TestClient) -> None:
    """Of every operation but streams of events, which have no end."""
    described = schemathesis.openapi.from_asgi("/api/openapi.json", client.app)
    asked: set[str] = set()
    for found in described.get_all_operations():
        operation = found.ok()
        if operation.path.endswith("/events"):
            continue
        try_out(operation, GenerationMode.POSITIVE)
        if operation.path in FORBIDDEN:
            try_out(operation, GenerationMode.NEGATIVE)
        asked.add(f"{operation.method.upper()} {operation.path}")
    assert {"GET /api/search", "POST /api/search", "GET /api/facets"} <= asked


def try_out(operation: Any, mode: GenerationMode) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=EXAMPLES == SHORT,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def answers(case: Any) -> None:
        case.call_and_validate(checks=CHECKS)

    answers()
