"""The simulated CMS is one that the pipeline can read, however many components it has."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from library_pipeline.bundles.download import BundleDownloader
from library_pipeline.bundles.store import BundleStore
from library_pipeline.catalog.component import Component
from library_pipeline.encoders.image import read_image
from library_pipeline.sources.contract import HttpCms
from library_pipeline.sources.factory import contract_source
from library_pipeline.sources.http.connection import CmsConnection
from library_pipeline.sources.source import NotModified
from tools.simulated_cms import SimulatedCms

COMPONENTS = 1200


@pytest.fixture(scope="module")
def cms() -> Iterator[SimulatedCms]:
    with SimulatedCms(COMPONENTS) as cms:
        yield cms


def read(cms: SimulatedCms, updated_since: datetime | None = None) -> dict[str, Component]:
    with HttpCms(CmsConnection(base_url=cms.url)) as http_cms:
        pages = list(http_cms.pages(updated_since=updated_since))
    assert not any(page.problems for page in pages)
    return {found.component_id: found for page in pages for found in page.components}


def test_the_whole_listing_is_read_page_by_page_and_then_is_unchanged(cms: SimulatedCms) -> None:
    cms.reset_requests()
    with HttpCms(CmsConnection(base_url=cms.url)) as http_cms:
        ids = [found.component_id for page in http_cms.pages() for found in page.components]
        with pytest.raises(NotModified):
            list(http_cms.pages(etag=http_cms.etag))
    assert ids == [f"sim-{number:06d}" for number in range(COMPONENTS)]
    asked = cms.requests()
    assert (asked["manifest"], asked["not_modified"], asked["config"]) == (3, 1, 0)


def test_an_edit_changes_its_components_and_their_named_files_alone(cms: SimulatedCms) -> None:
    before = read(cms)
    edited_at = datetime.now(UTC)
    cms.edit([7, 1100], files=["config", "screenshot"])
    after = read(cms)
    assert {id_ for id_ in before if before[id_] != after[id_]} == {"sim-000007", "sim-001100"}
    old, new = before["sim-000007"], after["sim-000007"]
    assert old.revision != new.revision
    assert {kind for kind in old.files if old.files[kind] != new.files[kind]} == {
        "config",
        "screenshot",
    }
    # What was edited, and nothing else, is what was updated since.
    assert read(cms, edited_at) == {id_: after[id_] for id_ in ("sim-000007", "sim-001100")}
    assert len(read(cms, edited_at - timedelta(days=10_000))) == COMPONENTS


def test_what_was_removed_is_gone_until_it_is_restored_as_an_update(cms: SimulatedCms) -> None:
    cms.remove([3])
    assert "sim-000003" not in read(cms)
    assert httpx.get(f"{cms.url}/files/sim-000003.config").status_code == 404
    restored_at = datetime.now(UTC)
    cms.restore([3])
    assert list(read(cms, restored_at)) == ["sim-000003"]
    with pytest.raises(httpx.HTTPStatusError):
        cms.restore([3])


def test_a_bundle_is_downloaded_and_its_picture_is_its_own(
    cms: SimulatedCms, tmp_path: Path
) -> None:
    listed = read(cms)
    store = BundleStore(str(tmp_path))

    async def fetch() -> list[bytes]:
        async with BundleDownloader(
            [contract_source(CmsConnection(base_url=cms.url))], store
        ) as downloader:
            numbers = range(0, COMPONENTS, 100)
            wanted = [listed[f"sim-{number:06d}"] for number in numbers]
            return [(await downloader.fetch(found)).screenshot for found in wanted]

    pictures = [read_image(data) for data in asyncio.run(fetch())]
    assert {picture.size for picture in pictures} == {(16, 16)}
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)
    assert len(pictures[0].getcolors() or []) == 16


def test_a_query_or_control_that_cannot_be_used_is_refused(cms: SimulatedCms) -> None:
    for query in ("limit=0", "cursor=x", "updated_since=yesterday"):
        assert httpx.get(f"{cms.url}/components?{query}").status_code == 400
    for body in ({}, {"numbers": [COMPONENTS]}, {"numbers": [1], "files": ["picture"]}):
        assert httpx.post(f"{cms.url}/_edit", json=body).status_code == 400
    assert httpx.get(f"{cms.url}/nothing").status_code == 404
