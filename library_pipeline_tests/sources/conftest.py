"""A CMS with three components on a loopback port."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from library_pipeline.sample_cms import SampleCms
from library_pipeline_tests.sample_cms.library import TOKEN, write_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    for component_id in ("banner", "card", "hero"):
        write_bundle(folder, component_id, component_id, client="Acme", tags=["new"])
    return folder


@pytest.fixture
def cms(folder: Path) -> Iterator[SampleCms]:
    with SampleCms(folder, token=TOKEN) as cms:
        yield cms
