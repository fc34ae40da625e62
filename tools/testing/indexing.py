"""Puts components into a library the way a refresh does, without a CMS to fetch them from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from library_pipeline.bundles.store import BundleStore
from library_pipeline.catalog.component import FILE_KINDS, Bundle, Component, FileRef
from library_pipeline.catalog.encoder import EncoderSpec
from library_pipeline.database.connection import Database
from library_pipeline.encoders import encoder_identity, load_encoder, read_image, thumbnail
from library_pipeline.index.encoders import register_encoder
from library_pipeline.index.write import DecodedScreenshot, store_batch
from library_pipeline.refresh.staging import load_manifest
from library_pipeline.settings import Settings

FORMATS = ((b"\x89PNG", "png"), (b"\xff\xd8", "jpeg"), (b"GIF8", "gif"), (b"RIFF", "webp"))


@dataclass(frozen=True)
class Sample:
    """One component of a test's library."""

    component_id: str
    screenshot: bytes
    name: str = ""
    client: str = "north"
    category: str = "card"
    tags: tuple[str, ...] = ()
    texts: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    revision: str = "r1"


def index(database: Database, settings: Settings, samples: Sequence[Sample]) -> None:
    """Make `samples` the whole library, all of it searchable."""
    store = BundleStore(settings.bundle_root)
    model = settings.encoder.model
    encoder = load_encoder(model, device="cpu")
    identity = encoder_identity(model)
    bundles = [_bundle(store, sample) for sample in samples]
    with database.connect() as connection:
        with load_manifest(connection) as load:
            load.add(component_of(sample) for sample in samples)
            load.commit(source="test", etag=None)
        registered = register_encoder(
            connection,
            EncoderSpec("clip", model),
            fingerprint=identity.fingerprint,
            dim=identity.dim,
        )
        store_batch(
            connection,
            bundles=bundles,
            screenshots=[_screenshot(sample) for sample in samples],
            vectors={
                registered: {
                    bundle.screenshot_sha256: encoder.embed_image(sample.screenshot)
                    for bundle, sample in zip(bundles, samples, strict=True)
                }
            },
        )


def component_of(sample: Sample) -> Component:
    return Component(
        sample.component_id,
        sample.revision,
        sample.name or f"Component {sample.component_id}",
        {kind: FileRef(f"http://cms.test/{kind}") for kind in FILE_KINDS},
        sample.client,
        sample.category,
        sample.tags,
        attributes=sample.attributes,
    )


def _bundle(store: BundleStore, sample: Sample) -> Bundle:
    texts = {
        "config": json.dumps({"width": 320}),
        "format": "<section>{{ title }}</section>",
        "records": json.dumps([{"of": sample.component_id}]),
    } | sample.texts
    files = {kind: store.put(text.encode()) for kind, text in texts.items()}
    return Bundle(
        sample.component_id, sample.revision, {**files, "screenshot": store.put(sample.screenshot)}
    )


def _screenshot(sample: Sample) -> DecodedScreenshot:
    image = read_image(sample.screenshot)
    format_ = next(name for magic, name in FORMATS if sample.screenshot.startswith(magic))
    return DecodedScreenshot(
        hashlib.sha256(sample.screenshot).hexdigest(),
        format_,
        image.width,
        image.height,
        len(sample.screenshot),
        thumbnail(image),
    )


def sample_of(folder: Path) -> Sample:
    """Return a shipped bundle as the tests index it, with its design's facts as attributes."""
    about = json.loads((folder / "attributes.json").read_text())
    config = json.loads((folder / "config.json").read_text())
    return Sample(
        about["id"],
        next(folder.glob("screenshot.*")).read_bytes(),
        about["name"],
        about["client"],
        about["category"],
        tuple(about["tags"]),
        {
            kind: next(folder.glob(f"{kind}.*")).read_text()
            for kind in ("config", "format", "records")
        },
        {key: config[key] for key in ("framework", "theme", "width")},
    )
