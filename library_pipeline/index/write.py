"""Writing the index: a batch of components becomes searchable in one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass

import numpy as np
import psycopg
from numpy.typing import NDArray

from library_pipeline.catalog.component import FILE_KINDS, Bundle
from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.index.embeddings import store_embeddings

# One statement for a whole batch; sorted, so that two writers lock rows in the same order.
_SCREENSHOTS = """
insert into pipeline.screenshot (sha256, format, width, height, size, thumbnail)
select * from unnest(%b::text[], %b::text[], %b::integer[], %b::integer[], %b::bigint[],
                     %b::bytea[]) as s (sha256, format, width, height, size, thumbnail)
order by sha256 on conflict (sha256) do nothing
"""
_BUNDLES = """
insert into pipeline.bundle (component_id, revision, files)
select component_id, revision, files::jsonb
from unnest(%b::text[], %b::text[], %b::text[]) as b (component_id, revision, files)
order by component_id
on conflict (component_id, revision) do update set files = excluded.files, fetched_at = now()
where pipeline.bundle.files <> excluded.files
"""
# The manifest may have moved on while this revision was being worked on. Only the revision that
# is current gets in, so a slow worker never takes a component back in time.
_COMPONENTS = """
insert into pipeline.component as c (component_id, partition_key, revision, name, client,
    category, tags, updated_at, source, attributes, config_sha256, format_sha256, records_sha256,
    screenshot_sha256)
select m.component_id, m.partition_key, m.revision, m.name, m.client, m.category, m.tags,
       m.updated_at, m.source, m.attributes, b.config, b.format, b.records, b.screenshot
from unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[])
         as b (component_id, revision, config, format, records, screenshot)
join pipeline.manifest_entry m using (component_id, revision)
order by m.component_id
on conflict (component_id) do update set revision = excluded.revision, name = excluded.name,
    client = excluded.client, category = excluded.category, tags = excluded.tags,
    updated_at = excluded.updated_at, source = excluded.source, attributes = excluded.attributes,
    config_sha256 = excluded.config_sha256,
    format_sha256 = excluded.format_sha256, records_sha256 = excluded.records_sha256,
    screenshot_sha256 = excluded.screenshot_sha256, indexed_at = now(), removed_at = null
returning c.component_id
"""
# New vectors settle only the failure of a reembed; other failures concern the CMS.
_CLEAR_REEMBED_FAILURE = """
delete from pipeline.failure f using pipeline.refresh r
where r.id = f.refresh_id and r.kind = 'reembed' and f.component_id = any(%s)
"""
_CLEAR_FAILURE = "delete from pipeline.failure where component_id = any(%s)"


@dataclass(frozen=True, slots=True)
class DecodedScreenshot:
    """A decoded screenshot: `size` is in bytes, `thumbnail` is a small WebP."""

    sha256: str
    format: str
    width: int
    height: int
    size: int
    thumbnail: bytes


@dataclass(frozen=True, slots=True)
class IndexedFiles:
    """A component in the index: its revision and the sha256 digest of each kind of file."""

    revision: str
    files: Mapping[str, str]


def store_bundles(
    connection: psycopg.Connection,
    bundles: Sequence[Bundle],
    screenshots: Sequence[DecodedScreenshot],
) -> None:
    """Record downloaded bundles and the screenshots that were decoded."""
    if screenshots:
        connection.execute(_SCREENSHOTS, _columns(astuple(shot) for shot in screenshots))
    if bundles:
        connection.execute(
            _BUNDLES,
            _columns(
                (
                    bundle.component_id,
                    bundle.revision,
                    json.dumps({kind: asdict(file) for kind, file in bundle.files.items()}),
                )
                for bundle in bundles
            ),
        )


def store_batch(
    connection: psycopg.Connection,
    *,
    bundles: Sequence[Bundle],
    screenshots: Sequence[DecodedScreenshot],
    vectors: Mapping[EncoderInfo, Mapping[str, NDArray[np.float32]]],
    index: bool = True,
) -> set[str]:
    """Store one batch in one transaction; without `index` its components stay out of search.

    `vectors` holds the new (dim,) float32 vectors by encoder and screenshot digest. Returns the ids
    of components that the manifest lists at another revision by now: they are not indexed, and the
    next plan takes them up.
    """
    overtaken: set[str] = set()
    with connection.transaction():
        store_bundles(connection, bundles, screenshots)
        for encoder in sorted(vectors, key=lambda encoder: encoder.id):
            store_embeddings(connection, encoder, vectors[encoder])
        if index and bundles:
            rows = connection.execute(
                _COMPONENTS,
                _columns(
                    (each.component_id, each.revision, *(each.files[k].sha256 for k in FILE_KINDS))
                    for each in bundles
                ),
            )
            stored = {row[0] for row in rows}
            overtaken = {bundle.component_id for bundle in bundles} - stored
            connection.execute(_CLEAR_FAILURE, (list(stored),))
        elif vectors:
            connection.execute(_CLEAR_REEMBED_FAILURE, ([item.component_id for item in bundles],))
    return overtaken


def indexed_files(connection: psycopg.Connection, ids: Sequence[str]) -> dict[str, IndexedFiles]:
    """Return the indexed revisions and files of the components `ids`, by component id."""
    rows = connection.execute(
        """select component_id, revision, config_sha256, format_sha256, records_sha256,
                  screenshot_sha256
           from pipeline.component where component_id = any(%s) and removed_at is null""",
        (list(ids),),
    )
    return {
        row[0]: IndexedFiles(
            row[1],
            {"config": row[2], "format": row[3], "records": row[4], "screenshot": row[5]},
        )
        for row in rows
    }


def known_bundles(connection: psycopg.Connection, ids: Sequence[str]) -> dict[str, Bundle]:
    """Return the bundles already recorded for the manifest's current revisions of `ids`."""
    rows = connection.execute(
        """select b.component_id, b.revision, b.files from pipeline.bundle b
           join pipeline.manifest_entry m using (component_id, revision)
           where b.component_id = any(%s)""",
        (list(ids),),
    )
    return {row[0]: Bundle.of_json(*row) for row in rows}


def indexed_bundles(connection: psycopg.Connection, ids: Sequence[str]) -> dict[str, Bundle]:
    """Return the bundles of the searchable revisions of `ids`, by component id."""
    rows = connection.execute(
        """select b.component_id, b.revision, b.files from pipeline.bundle b
           join pipeline.component c using (component_id, revision)
           where b.component_id = any(%s) and c.removed_at is null""",
        (list(ids),),
    )
    return {row[0]: Bundle.of_json(*row) for row in rows}


def _columns(rows: Iterable[tuple[object, ...]]) -> list[list[object]]:
    """Transpose `rows`, of which there is at least one."""
    return [list(column) for column in zip(*rows, strict=True)]


def thumbnails(connection: psycopg.Connection, digests: Iterable[str]) -> dict[str, bytes]:
    """Return the WebP thumbnails of the screenshots `digests`, by digest."""
    rows = connection.execute(
        "select sha256, thumbnail from pipeline.screenshot where sha256 = any(%s)",
        (list(digests),),
    )
    return {digest: bytes(data) for digest, data in rows}
