"""Requests that nobody thought of, made from the API's own description.

A short run that is always the same; `make fuzz` makes many more.
"""

from __future__ import annotations

import os

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

SHORT = 12
EXAMPLES = int(os.environ.get("LIBRARY_TEST_FUZZ", SHORT))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
OPERATIONS = (
    ("/api/search", "get"),
    ("/api/search", "post"),
    ("/api/components/{component_id}", "get"),
    ("/api/components/{component_id}/similar", "get"),
    ("/api/components/{component_id}/files/{kind}", "get"),
    ("/api/webhooks/{source}", "post"),
)
TRIED = [
    (path, method, mode)
    for path, method in OPERATIONS
    for mode in schemathesis.GenerationMode
    if mode.is_positive or path != "/api/webhooks/{source}"  # nothing can be wrong in a name
]


@pytest.mark.parametrize(("path", "method", "mode"), TRIED)
def test_every_answer_is_one_that_the_description_tells_of(
    client: TestClient, path: str, method: str, mode: schemathesis.GenerationMode
) -> None:
    operation = schemathesis.openapi.from_asgi("/api/openapi.json", client.app)[path][method]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=EXAMPLES == SHORT,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def answered(case: Case) -> None:
        case.call_and_validate(checks=CHECKS)

    answered()


def test_every_operation_is_tried(client: TestClient) -> None:
    paths = client.get("/api/openapi.json").json()["paths"]
    described = {(path, method) for path, methods in paths.items() for method in methods}
    assert described == set(OPERATIONS)
