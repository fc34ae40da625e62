"""What must hold once all is quiet: the index is the CMS, and Dagster says so too."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

import dagster as dg
import psycopg
from dagster._core.events import DagsterEventType
from psycopg import sql

from library_pipeline.bundles.store import BundleError, BundleStore
from library_pipeline.catalog.component import partition_key
from library_pipeline.defs.materializations import INDEX
from library_pipeline.defs.storage import COMPONENTS
from library_pipeline.index.embeddings import embedding_table
from tools.soak.listing import Listed

_SHOWN = 5
_DATA_VERSION = "dagster/data_version"


def audit(
    connection: psycopg.Connection,
    bundles: BundleStore,
    instance: dg.DagsterInstance,
    listed: Mapping[str, Listed],
) -> list[str]:
    """Return every violation, a line for each kind of it."""
    return [
        *_index_is_the_cms(connection, listed),
        *_one_row_each(connection),
        *_one_vector_each(connection),
        *_bundles_are_whole(bundles, listed),
        *_all_is_finished(connection),
        *_dagster_knows(instance, listed),
    ]


def stray_partitions(instance: dg.DagsterInstance, listed: Iterable[str]) -> int:
    """Count partitions of components that are gone; garbage collection drops them."""
    return len(
        {*instance.get_dynamic_partitions(COMPONENTS)} - {partition_key(id_) for id_ in listed}
    )


def _index_is_the_cms(
    connection: psycopg.Connection, listed: Mapping[str, Listed]
) -> Iterator[str]:
    rows = connection.execute(
        """select component_id, revision, config_sha256, format_sha256, records_sha256,
                  screenshot_sha256 from pipeline.component where removed_at is null"""
    )
    kinds = ("config", "format", "records", "screenshot")
    indexed = {row[0]: Listed(row[1], dict(zip(kinds, row[2:], strict=True))) for row in rows}
    yield from _line("listed but not indexed", listed.keys() - indexed.keys())
    yield from _line("indexed but not listed", indexed.keys() - listed.keys())
    both = listed.keys() & indexed.keys()
    old = {id_ for id_ in both if listed[id_].revision != indexed[id_].revision}
    yield from _line("indexed at another revision", old)
    yield from _line(
        "indexed with other files", {id_ for id_ in both - old if listed[id_] != indexed[id_]}
    )
    seen = {row[0] for row in connection.execute("select component_id from library.component")}
    yield from _line("not in the view library.component", indexed.keys() ^ seen)


def _one_row_each(connection: psycopg.Connection) -> Iterator[str]:
    for column in ("component_id", "partition_key"):
        rows = connection.execute(
            sql.SQL("select {0} from pipeline.component group by {0} having count(*) > 1").format(
                sql.Identifier(column)
            )
        )
        yield from _line(f"{column} twice", {row[0] for row in rows})


def _one_vector_each(connection: psycopg.Connection) -> Iterator[str]:
    encoders = connection.execute("select id from pipeline.encoder where active").fetchall()
    if len(encoders) != 1:
        yield f"{len(encoders)} active encoders"
    for (encoder,) in encoders:
        rows = connection.execute(
            sql.SQL(
                """select c.component_id from pipeline.component c
                   left join {} e using (screenshot_sha256) where c.removed_at is null
                   group by c.component_id having count(e.screenshot_sha256) <> 1"""
            ).format(embedding_table(encoder))
        )
        yield from _line("without exactly one vector", {row[0] for row in rows})


def _bundles_are_whole(bundles: BundleStore, listed: Mapping[str, Listed]) -> Iterator[str]:
    unreadable: set[str] = set()
    for id_, component in listed.items():
        for digest in component.files.values():
            try:
                whole = hashlib.sha256(bundles.get(digest)).hexdigest() == digest
            except BundleError:
                whole = False
            if not whole:
                unreadable.add(id_)
    yield from _line("with an unreadable bundle", unreadable)


def _all_is_finished(connection: psycopg.Connection) -> Iterator[str]:
    rows = connection.execute(
        """select id from pipeline.refresh where state in ('planning', 'running')
           or finished_at is null"""
    )
    yield from _line("refreshes left unfinished", {row[0] for row in rows})
    failures = connection.execute("select component_id || ' ' || code from pipeline.failure")
    yield from _line("failures left", {row[0] for row in failures})


def _dagster_knows(instance: dg.DagsterInstance, listed: Mapping[str, Listed]) -> Iterator[str]:
    keys = instance.get_dynamic_partitions(COMPONENTS)
    yield from _line("partitions twice", {key for key in keys if keys.count(key) > 1})
    wanted = {partition_key(id_): component.revision for id_, component in listed.items()}
    yield from _line("without a partition", wanted.keys() - {*keys})
    tags = instance.event_log_storage.get_latest_tags_by_partition(
        INDEX, DagsterEventType.ASSET_MATERIALIZATION, [_DATA_VERSION]
    )
    yield from _line("never materialized", wanted.keys() - tags.keys())
    other = {
        f"{key} (is {revision}, Dagster says {tags[key].get(_DATA_VERSION)})"
        for key, revision in wanted.items()
        if key in tags and tags[key].get(_DATA_VERSION) != revision
    }
    yield from _line("materialized last with another revision", other)


def _line(what: str, found: Iterable[str]) -> Iterator[str]:
    some = sorted(found)
    if some:
        more = f" and {len(some) - _SHOWN} others" if len(some) > _SHOWN else ""
        yield f"{len(some)} {what}: {', '.join(some[:_SHOWN])}{more}"
