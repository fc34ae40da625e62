"""Dagster's events of components: one materialization for each asset and partition.

Metadata is Markdown: pictures are data: URLs, and texts and links show what they say.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import dagster as dg

from library_pipeline.catalog import component as catalog
from library_pipeline.catalog.component import partition_key, partition_of
from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.refresh.items import Success

BUNDLE = dg.AssetKey(catalog.BUNDLE)
EMBEDDING = dg.AssetKey(catalog.EMBEDDING)
INDEX = dg.AssetKey(catalog.INDEX)
MANIFEST = dg.AssetKey("cms_manifest")
VECTOR_INDEX = dg.AssetKey("vector_index")
REPORT = dg.AssetKey("refresh_report")

UPSTREAM = {BUNDLE: MANIFEST, EMBEDDING: BUNDLE, INDEX: EMBEDDING}
CODE_VERSION = "1"
# The manifest changes all the time. Only a new revision makes a component stale.
MANIFEST_VERSION = "current"

# Every ASCII punctuation character may be escaped; a hyphen means something at the start only:
# https://spec.commonmark.org/0.31.2/#backslash-escapes
_PUNCTUATION = re.compile(r"(^-|[!-,./:-@\[-`{-~])")


def materializations(
    asset_key: dg.AssetKey,
    successes: Sequence[Success],
    *,
    encoders: Sequence[EncoderInfo],
    thumbnails: Mapping[str, bytes],
    upstream_pointer: str,
    web_url: str | None = None,
) -> list[dg.AssetMaterialization]:
    """Return the events of one asset for all `successes`; `thumbnails` are WebP by digest."""
    return [
        dg.AssetMaterialization(
            asset_key,
            partition=partition_key(success.component_id),
            metadata=_metadata(asset_key, success, encoders, thumbnails, web_url),
            tags=_version_tags(asset_key, success, encoders, upstream_pointer),
        )
        for success in successes
    ]


def bucket_materializations(
    asset_key: dg.AssetKey,
    successes: Sequence[Success],
    *,
    versions: Mapping[str, tuple[int, str]],
    buckets: int,
    encoders: Sequence[EncoderInfo],
    upstream_pointer: str,
) -> list[dg.AssetMaterialization]:
    """Return the events of one asset for the buckets that the `successes` are in.

    `versions` holds each bucket's number of components and the hash of their revisions.
    """
    outcomes: dict[str, Counter[str]] = {}
    for success in successes:
        key = partition_of(success.component_id, buckets)
        outcomes.setdefault(key, Counter())[success.outcome] += 1
    events: list[dg.AssetMaterialization] = []
    for key, counts in sorted(outcomes.items()):
        size, version = versions.get(key, (0, "empty"))
        events.append(
            dg.AssetMaterialization(
                asset_key,
                partition=key,
                metadata={"components": size, **counts},
                tags=version_tags(
                    asset_key, version, embedding_version(version, encoders), upstream_pointer
                ),
            )
        )
    return events


def version_tags(
    asset_key: dg.AssetKey,
    revision: str,
    embedding_version: str,
    upstream_pointer: str,
) -> dict[str, str]:
    """Return the tags by which Dagster decides whether a partition is stale.

    Dagster needs all of them: with the data version alone it compares timestamps, and shows every
    component as out of date after each refresh. The data version is the CMS's revision, or
    `embedding_version` for vectors.
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
    """Return the data version of vectors, from their screenshots' `content` and the encoders."""
    return f"{content}-{'+'.join(encoder.fingerprint for encoder in encoders)}"


def _version_tags(
    asset_key: dg.AssetKey, success: Success, encoders: Sequence[EncoderInfo], pointer: str
) -> dict[str, str]:
    embedding = embedding_version(success.bundle.screenshot_sha256[:16], encoders)
    return version_tags(asset_key, success.revision, embedding, pointer)


def _metadata(
    asset_key: dg.AssetKey,
    success: Success,
    encoders: Sequence[EncoderInfo],
    thumbnails: Mapping[str, bytes],
    web_url: str | None,
) -> dict[str, dg.MetadataValue | str | float]:
    digest = success.bundle.screenshot_sha256
    took = {phase: round(value, 1) for phase, value in success.milliseconds.items()}
    metadata: dict[str, dg.MetadataValue | str | float] = {
        "component_id": success.component_id,
        "revision": success.revision,
        "screenshot_sha256": digest,
    }
    if asset_key == BUNDLE:
        metadata["bytes"] = success.bundle.size
        metadata["downloaded_bytes"] = success.downloaded_bytes
        metadata["download_ms"] = took.get("download", 0.0)
    elif asset_key == EMBEDDING:
        names = [f"{encoder.name} ({encoder.model})" for encoder in encoders]
        fingerprints = [encoder.fingerprint for encoder in encoders]
        metadata["encoders"] = ", ".join(names)
        metadata["fingerprints"] = ", ".join(fingerprints)
        metadata["embedded_now"] = success.embedded
        metadata["decode_ms"] = took.get("decode", 0.0)
        metadata["embed_ms"] = took.get("embed", 0.0)
    else:
        metadata["outcome"] = success.outcome
        metadata["store_ms"] = took.get("store", 0.0)
        if shown := component_page(web_url, success.component_id):
            metadata["component"] = dg.MetadataValue.url(shown)
            page = f"{web_url}/?like={partition_key(success.component_id)}"
            metadata["look_alikes"] = dg.MetadataValue.url(page)
    if digest in thumbnails:
        drawn = picture(partition_key(success.component_id), thumbnails[digest])
        metadata["screenshot"] = dg.MetadataValue.md(drawn)
    return metadata


def plain(text: str) -> str:
    """Escape `text` so that Markdown shows it unchanged, on one line."""
    return _PUNCTUATION.sub(r"\\\1", " ".join(text.split()))


def picture(label: str, webp: bytes) -> str:
    """Return a picture as Markdown, with `label` as its alternative text."""
    return f"![{plain(label)}](data:image/webp;base64,{base64.b64encode(webp).decode()})"


def link(text: str, url: str | None) -> str:
    """Return a link as Markdown, or only its text without a `url`."""
    return f"[{plain(text)}]({url})" if url else plain(text)


def component_page(web_url: str | None, component_id: str) -> str | None:
    """Return the URL of a component's page, None without a service; any id is safe in the query."""
    return f"{web_url}/components/?{urlencode({'id': component_id})}" if web_url else None


def refresh_page(web_url: str | None, refresh_id: str) -> str | None:
    """Return the URL of a refresh's page, None without a service."""
    return f"{web_url}/refreshes/{refresh_id}" if web_url else None
