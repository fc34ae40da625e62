"""docs/cms.md and docs/cms-openapi.yaml say what the sample CMS really answers."""

from __future__ import annotations

import dataclasses
import json
import re
import threading
import time
from pathlib import Path
from typing import Any, cast, get_args

import httpx
import pytest
import uvicorn
import yaml
from jsonschema import Draft202012Validator

import library_pipeline
from library_pipeline.sample_cms import Faults, FileFault, RequestFault, SampleCms
from library_pipeline.sample_cms.faults import Answer, FileAnswer, ManifestFault
from library_pipeline.sources.contract import HttpCms
from library_pipeline.sources.http.connection import ByteLimits, CmsConnection
from library_pipeline_tests.support.small_cms import TOKEN

DOCS = Path(library_pipeline.__file__).parents[1] / "docs"
CMS_MD = (DOCS / "cms.md").read_text()
OPENAPI = cast("dict[str, Any]", yaml.safe_load((DOCS / "cms-openapi.yaml").read_text()))


def validate(value: Any, schema: str) -> None:
    wanted = {"$ref": f"#/components/schemas/{schema}", "components": OPENAPI["components"]}
    Draft202012Validator(wanted).validate(value)


def get(cms: SampleCms, path: str, **headers: str) -> httpx.Response:
    authorization = {"Authorization": f"Bearer {TOKEN}"}
    return httpx.get(cms.url + path, headers=authorization | headers)


def documented(path: str, status: int) -> dict[str, Any]:
    answer = OPENAPI["paths"][path]["get"]["responses"][str(status)]
    if "$ref" in answer:
        return OPENAPI["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    return answer


@pytest.mark.parametrize(
    "query", ["", "?limit=1", "?limit=1&cursor=YmFubmVy", "?updated_since=2100-01-01T00:00:00Z"]
)
def test_pages_are_as_the_schema_has_them(cms: SampleCms, query: str) -> None:
    answer = get(cms, f"/components{query}")
    validate(answer.json(), "ManifestPage")
    told = {"total", "since"} if "since" in query else {"total"}
    assert set(answer.json()) == {"components", "next"} | told
    documented("/components", answer.status_code)


def test_errors_are_as_the_schema_has_them(cms: SampleCms) -> None:
    answers = [
        ("/components", httpx.get(f"{cms.url}/components")),
        ("/components", get(cms, "/components?limit=0")),
        ("/files/{name}", get(cms, "/files/none.config")),
    ]
    cms.faults = Faults(requests_per_second=0.001)
    get(cms, "/components")
    answers.append(("/components", get(cms, "/components")))
    cms.faults = Faults(requests=(RequestFault("status", every=1),))
    answers.append(("/components", get(cms, "/components")))
    assert [answer.status_code for _, answer in answers] == [401, 400, 404, 429, 503]
    for path, answer in answers:
        validate(answer.json(), "Error")
        for header in documented(path, answer.status_code).get("headers", {}):
            assert header in answer.headers


def test_an_unchanged_listing_and_file_are_as_documented(cms: SampleCms) -> None:
    for path, shown in (("/components", "/components"), ("/files/hero.config", "/files/{name}")):
        etag = get(cms, path).headers["etag"]
        answer = get(cms, path, **{"If-None-Match": etag})
        assert documented(shown, answer.status_code)


@pytest.mark.parametrize(
    "wrong", [{"components": []}, {"components": [{"id": "x"}], "next": None}, {"next": None}]
)
def test_the_schema_refuses_what_the_reader_refuses(wrong: Any) -> None:
    assert not Draft202012Validator(
        {"$ref": "#/components/schemas/ManifestPage", "components": OPENAPI["components"]}
    ).is_valid(wrong)


def test_the_example_in_the_docs_is_valid() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", CMS_MD, re.S)
    validate(json.loads(example), "ManifestPage")


def test_the_cms_in_the_docs_works_and_is_as_short_as_it_says() -> None:
    (code,) = [c for c in re.findall(r"```python\n(.*?)```", CMS_MD, re.S) if "Starlette(" in c]
    assert len([line for line in code.splitlines() if line.strip()]) <= 40
    names: dict[str, Any] = {}
    exec(compile(code, "docs/cms.md", "exec"), names)
    config = uvicorn.Config(names["app"], port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        with HttpCms(CmsConnection(base_url=url, page_size=2)) as cms:
            pages = list(cms.pages())
            assert [len(page.components) for page in pages] == [2, 2, 1]
            assert not cms.changed(cms.etag)
        found = pages[0].components[0]
        assert httpx.get(found.files["records"].url).content == b"[]"
    finally:
        server.should_exit = True
        thread.join()


def test_every_fault_is_documented() -> None:
    names = {*get_args(Answer), *get_args(FileAnswer), *get_args(ManifestFault)}
    for switches in (Faults, RequestFault, FileFault):
        names |= {field.name for field in dataclasses.fields(switches)}
    shown = {name for name in names if f"`{name}" in CMS_MD or f'"{name}"' in CMS_MD}
    assert names - shown == set()


def test_the_limits_in_the_docs_are_those_of_the_code() -> None:
    limits = ByteLimits()
    mb = 1024 * 1024
    stated = (
        f"`config` and `format` {limits.config // mb} MiB, `records` {limits.records // mb} MiB, "
        f"`screenshot` {limits.screenshot // mb} MiB, "
        f"a manifest page {limits.manifest_page // mb} MiB"
    )
    assert stated in CMS_MD
    assert f"| `cms.concurrency` | {CmsConnection(base_url='http://x').concurrency} |" in CMS_MD


def test_the_document_is_openapi_3_1_and_its_references_lead_somewhere() -> None:
    assert OPENAPI["openapi"].startswith("3.1.")
    for reference in re.findall(r"#(/[\w/]+)", (DOCS / "cms-openapi.yaml").read_text()):
        found: Any = OPENAPI
        for step in reference.strip("/").split("/"):
            found = found[step]
