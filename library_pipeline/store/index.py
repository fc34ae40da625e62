"""Writing the index: a batch of components becomes searchable in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.types.json import Jsonb

from library_pipeline.catalog.bundle import Bundle, StoredFile
from library_pipeline.catalog.refresh import Outcome
from library_pipeline.store.chunks import set_outcomes
from library_pipeline.store.embeddings import RegisteredEncoder, store_embeddings

_BUNDLE = """
insert into pipeline.bundle (component_id, revision, files) values (%s, %s, %s)
on conflict (component_id, revision) do update set files = excluded.files, fetched_at = now()
where pipeline.bundle.files <> excluded.files
"""
_SCREENSHOT = """
insert into pipeline.screenshot (sha256, format, width, height, size, thumbnail)
values (%s, %s, %s, %s, %s, %s) on conflict (sha256) do nothing
"""
# The manifest may have moved on while this revision was being worked on. Only the revision that
# is current gets in, so a slow worker never takes a component back in time.
_COMPONENT = """
insert into pipeline.component as c (component_id, partition_key, revision, name, client,
    category, tags, updated_at, config_sha256, format_sha256, records_sha256, screenshot_sha256)
select m.component_id, m.partition_key, m.revision, m.name, m.client, m.category, m.tags,
       m.updated_at, %(config)s, %(format)s, %(records)s, %(screenshot)s
from pipeline.manifest_entry m where m.component_id = %(id)s and m.revision = %(revision)s
on conflict (component_id) do update set revision = excluded.revision, name = excluded.name,
    client = excluded.client, category = excluded.category, tags = excluded.tags,
    updated_at = excluded.updated_at, config_sha256 = excluded.config_sha256,
    format_sha256 = excluded.format_sha256, records_sha256 = excluded.records_sha256,
    screenshot_sha256 = excluded.screenshot_sha256, indexed_at = now(), removed_at = null
"""
_CLEAR_FAILURE = "delete from pipeline.failure where component_id = any(%s)"


@dataclass(frozen=True, slots=True)
class Screenshot:
    """What is known of a decoded screenshot; `size` in bytes, `thumbnail` a small WebP."""

    sha256: str
    format: str
    width: int
    height: int
    size: int
    thumbnail: bytes


@dataclass(frozen=True, slots=True)
class IndexedFiles:
    """What the index holds of a component: its revision and its files' digests."""

    revision: str
    files: Mapping[str, str]


def store_bundles(
    connection: psycopg.Connection,
    bundles: Sequence[Bundle],
    screenshots: Sequence[Screenshot],
) -> None:
    """Record downloaded bundles and the screenshots that were decoded."""
    with connection.cursor() as cursor:
        cursor.executemany(
            _SCREENSHOT,
            [
                (shot.sha256, shot.format, shot.width, shot.height, shot.size, shot.thumbnail)
                for shot in sorted(screenshots, key=lambda shot: shot.sha256)
            ],
        )
        cursor.executemany(
            _BUNDLE,
            [(bundle.component_id, bundle.revision, Jsonb(_files(bundle))) for bundle in bundles],
        )


def store_batch(
    connection: psycopg.Connection,
    *,
    refresh_id: str,
    bundles: Sequence[Bundle],
    screenshots: Sequence[Screenshot],
    encoder: RegisteredEncoder,
    vectors: Mapping[str, NDArray[np.float32]],
    outcomes: Mapping[str, Outcome],
    index: bool = True,
) -> None:
    """Store one batch in one transaction; with `index` false its components are not searchable yet.

    `vectors` holds (dim,) float32 by screenshot digest, for those that were embedded now.
    """
    ordered = sorted(bundles, key=lambda bundle: bundle.component_id)
    with connection.transaction():
        store_bundles(connection, ordered, screenshots)
        store_embeddings(connection, encoder, vectors)
        if index:
            with connection.cursor() as cursor:
                cursor.executemany(_COMPONENT, [_component_row(bundle) for bundle in ordered])
            connection.execute(_CLEAR_FAILURE, ([bundle.component_id for bundle in ordered],))
        set_outcomes(connection, refresh_id, outcomes)


def indexed_files(connection: psycopg.Connection, ids: Sequence[str]) -> dict[str, IndexedFiles]:
    """Return what the index holds of the components `ids`, by component id."""
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
    return {
        row[0]: Bundle(
            row[0],
            row[1],
            {kind: StoredFile(file["sha256"], file["size"]) for kind, file in row[2].items()},
        )
        for row in rows
    }


def _files(bundle: Bundle) -> dict[str, dict[str, object]]:
    return {kind: {"sha256": file.sha256, "size": file.size} for kind, file in bundle.files.items()}


def _component_row(bundle: Bundle) -> dict[str, object]:
    digests = {kind: file.sha256 for kind, file in bundle.files.items()}
    return {"id": bundle.component_id, "revision": bundle.revision, **digests}


def thumbnails(connection: psycopg.Connection, digests: Iterable[str]) -> dict[str, bytes]:
    """Return the WebP thumbnails of the screenshots `digests`, by digest."""
    rows = connection.execute(
        "select sha256, thumbnail from pipeline.screenshot where sha256 = any(%s)",
        (list(digests),),
    )
    return {digest: bytes(data) for digest, data in rows}
