"""What a run tells Dagster in a large library: one materialization for each bucket it touched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import dagster as dg

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.catalog.partition_keys import partition_of
from library_pipeline.defs.materializations import embedding_version, version_tags
from library_pipeline.refresh.items import Report


def bucket_materializations(
    asset_key: dg.AssetKey,
    reports: Sequence[Report],
    *,
    versions: Mapping[str, tuple[int, str]],
    buckets: int,
    encoders: Sequence[EncoderInfo],
    upstream_pointer: str,
) -> list[dg.AssetMaterialization]:
    """Return the events of one asset for the buckets that the `reports` are in.

    `versions` holds each bucket's number of components and the hash of their revisions.
    """
    outcomes: dict[str, Counter[str]] = {}
    for report in reports:
        key = partition_of(report.component_id, buckets)
        outcomes.setdefault(key, Counter())[report.outcome] += 1
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
