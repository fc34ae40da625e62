"""A sample CMS of three small bundles, the connection to it, and both as fixtures."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from library_pipeline.sample_cms import SampleCms
from library_pipeline.sources.http.connection import CmsConnection

TOKEN = "s3cret-token"
STATED_TIME = "2024-05-01T12:00:00Z"


def png(color: tuple[int, int, int] = (200, 30, 30), size: tuple[int, int] = (24, 16)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, "PNG")
    return buffer.getvalue()


def write_bundle(
    folder: Path, component_id: str, name: str | None = None, **attributes: Any
) -> Path:
    """Write one bundle whose files are all its own; returns its folder."""
    number = len(list(folder.iterdir())) if folder.exists() else 0
    bundle = folder / (name or f"bundle-{number}")
    bundle.mkdir(parents=True)
    stated = {"id": component_id, "name": f"The {component_id}", "updated_at": STATED_TIME}
    (bundle / "attributes.json").write_text(json.dumps(stated | attributes))
    (bundle / "config.json").write_text(json.dumps({"component": component_id}))
    (bundle / "format.html").write_text(f"<p>{number}</p>")
    (bundle / "records.json").write_text(json.dumps([{"number": number}]))
    (bundle / "screenshot.png").write_bytes(png((number % 256, 100, 50)))
    return bundle


def connection_to(cms: SampleCms, **settings: Any) -> CmsConnection:
    """Return a connection that gives up, and tries again, within milliseconds."""
    return CmsConnection.model_validate(
        {
            "base_url": cms.url,
            "token": cms.token,
            "timeout_seconds": 5.0,
            "max_attempts": 3,
            "backoff_seconds": 0.001,
            "backoff_max_seconds": 0.002,
            "retry_after_max_seconds": 0.01,
            "rate_limit_patience_seconds": 0.2,
        }
        | settings
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of three bundles: banner, card and hero."""
    folder = tmp_path / "library"
    for component_id in ("banner", "card", "hero"):
        write_bundle(folder, component_id, component_id, client="Acme", tags=["new"])
    return folder


@pytest.fixture
def cms(folder: Path) -> Iterator[SampleCms]:
    """A CMS that serves `folder`, behind a token."""
    with SampleCms(folder, token=TOKEN) as cms:
        yield cms
