"""What a finished component tells Dagster: one materialization for each asset, with versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dagster as dg

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.catalog import partition_keys
from library_pipeline.catalog.partition_keys import partition_key
from library_pipeline.defs.markdown import component_page, picture
from library_pipeline.refresh.items import Report

BUNDLE = dg.AssetKey(partition_keys.BUNDLE)
EMBEDDING = dg.AssetKey(partition_keys.EMBEDDING)
INDEX = dg.AssetKey(partition_keys.INDEX)
MANIFEST = dg.AssetKey("cms_manifest")
VECTOR_INDEX = dg.AssetKey("vector_index")
REPORT = dg.AssetKey("refresh_report")

UPSTREAM = {BUNDLE: MANIFEST, EMBEDDING: BUNDLE, INDEX: EMBEDDING}
CODE_VERSION = "1"
# The manifest changes all the time; that makes no component stale, a new revision does.
MANIFEST_VERSION = "current"


def materializations(
    asset_key: dg.AssetKey,
    reports: Sequence[Report],
    *,
    encoders: Sequence[EncoderInfo],
    thumbnails: Mapping[str, bytes],
    upstream_pointer: str,
    web_url: str | None = None,
) -> list[dg.AssetMaterialization]:
    """Return the events of one asset for all `reports`; `thumbnails` are WebP by digest."""
    return [
        dg.AssetMaterialization(
            asset_key,
            partition=partition_key(report.component_id),
            metadata=_metadata(asset_key, report, encoders, thumbnails, web_url),
            tags=_version_tags(asset_key, report, encoders, upstream_pointer),
        )
        for report in reports
    ]


def version_tags(
    asset_key: dg.AssetKey,
    revision: str,
    embedding_version: str,
    upstream_pointer: str,
) -> dict[str, str]:
    """Return the tags that let Dagster tell stale from fresh.

    All of them are needed: with the data version alone Dagster compares timestamps, and shows
    every component as out of date after each refresh. Data versions are the CMS's revision, and
    for vectors what they are made of.
    """
    versions = {MANIFEST: MANIFEST_VERSION, EMBEDDING: embedding_version}
    upstream = UPSTREAM[asset_key]
    name = upstream.to_user_string()
    return {
        "dagster/data_version": versions.get(asset_key, revision),
        "dagster/data_version_is_user_provided": "true",
        "dagster/code_version": CODE_VERSION,
        f"dagster/input_data_version/{name}": versions.get(upstream, revision),
        f"dagster/input_event_pointer/{name}": upstream_pointer,
    }


def embedding_version(content: str, encoders: Sequence[EncoderInfo]) -> str:
    """Return the data version of vectors: what they are of, and by which encoders."""
    return f"{content}-{'+'.join(encoder.fingerprint for encoder in encoders)}"


def _version_tags(
    asset_key: dg.AssetKey, report: Report, encoders: Sequence[EncoderInfo], pointer: str
) -> dict[str, str]:
    embedding = embedding_version(report.bundle.screenshot_sha256[:16], encoders)
    return version_tags(asset_key, report.revision, embedding, pointer)


def _metadata(
    asset_key: dg.AssetKey,
    report: Report,
    encoders: Sequence[EncoderInfo],
    thumbnails: Mapping[str, bytes],
    web_url: str | None,
) -> dict[str, dg.MetadataValue]:
    digest = report.bundle.screenshot_sha256
    took = {phase: round(value, 1) for phase, value in report.milliseconds.items()}
    metadata: dict[str, dg.MetadataValue] = {
        "component_id": dg.MetadataValue.text(report.component_id),
        "revision": dg.MetadataValue.text(report.revision),
        "screenshot_sha256": dg.MetadataValue.text(digest),
    }
    if asset_key == BUNDLE:
        metadata["bytes"] = dg.MetadataValue.int(report.bundle.size)
        metadata["downloaded_bytes"] = dg.MetadataValue.int(report.downloaded_bytes)
        metadata["download_ms"] = dg.MetadataValue.float(took.get("download", 0.0))
    elif asset_key == EMBEDDING:
        names = [f"{encoder.name} ({encoder.model})" for encoder in encoders]
        fingerprints = [encoder.fingerprint for encoder in encoders]
        metadata["encoders"] = dg.MetadataValue.text(", ".join(names))
        metadata["fingerprints"] = dg.MetadataValue.text(", ".join(fingerprints))
        metadata["embedded_now"] = dg.MetadataValue.bool(report.embedded)
        metadata["decode_ms"] = dg.MetadataValue.float(took.get("decode", 0.0))
        metadata["embed_ms"] = dg.MetadataValue.float(took.get("embed", 0.0))
    else:
        metadata["outcome"] = dg.MetadataValue.text(report.outcome)
        metadata["store_ms"] = dg.MetadataValue.float(took.get("store", 0.0))
        if shown := component_page(web_url, report.component_id):
            metadata["component"] = dg.MetadataValue.url(shown)
            page = f"{web_url}/?like={partition_key(report.component_id)}"
            metadata["look_alikes"] = dg.MetadataValue.url(page)
    if digest in thumbnails:
        drawn = picture(partition_key(report.component_id), thumbnails[digest])
        metadata["screenshot"] = dg.MetadataValue.md(drawn)
    return metadata
