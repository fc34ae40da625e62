"""The first step of a refresh: read the manifest whole, compare it with the index, cut chunks."""

from __future__ import annotations

import structlog

from library_pipeline.catalog.refresh import AskedBy, RefreshKind, RefreshScope
from library_pipeline.sources.http_cms import CmsConnection, HttpCms, NotModified
from library_pipeline.sources.manifest import ManifestProblem
from library_pipeline.store.chunks import lease
from library_pipeline.store.database import Database
from library_pipeline.store.embeddings import RegisteredEncoder
from library_pipeline.store.manifest import current_manifest, load_manifest
from library_pipeline.store.plans import Plan, make_plan
from library_pipeline.store.refreshes import create_refresh, fail_orphans, fail_refresh

log = structlog.get_logger(__name__)


def load_current_manifest(
    database: Database, cms: CmsConnection, *, conditional: bool
) -> int | None:
    """Read the CMS's manifest and make it current; return its entries, None if it is unchanged.

    Raises ManifestError, and changes nothing, if any page of it cannot be had or read.
    """
    with database.connect() as connection, HttpCms(cms) as source:
        known = current_manifest(connection)
        etag = known.etag if known and conditional and known.source == cms.base_url else None
        with load_manifest(connection) as load:
            try:
                for page in source.pages(etag=etag):
                    load.add(page.entries)
            except NotModified:
                return None
            load.commit(source=cms.base_url, etag=source.etag)
        for problem in load.unidentified:
            _warn_of(problem)
        return load.entries


def plan_refresh(
    database: Database,
    encoder: RegisteredEncoder,
    *,
    refresh_id: str,
    kind: RefreshKind,
    scope: RefreshScope,
    asked_by: AskedBy,
    in_process: bool,
    chunk_size: int,
    max_removed_share: float,
    cms: CmsConnection | None,
) -> Plan:
    """Record the refresh and its plan over the manifest as `cms` has it now.

    Without `cms` the manifest is taken as it is. A full refresh does not trust the CMS's ETag.
    Raises ManifestError, after which the refresh is on record as failed.
    """
    with lease(database, refresh_id), database.connect() as connection:
        for gone in fail_orphans(connection):
            log.warning("refresh closed: its process is gone", refresh=gone)
        create_refresh(
            connection,
            refresh_id=refresh_id,
            kind=kind,
            scope=scope,
            asked_by=asked_by,
            in_process=in_process,
        )
        try:
            if cms is not None:
                load_current_manifest(database, cms, conditional=kind != "full")
            plan = make_plan(
                connection,
                refresh_id,
                kind=kind,
                scope=scope,
                encoder=encoder,
                chunk_size=chunk_size,
                max_removed_share=max_removed_share,
            )
        except Exception as error:
            fail_refresh(connection, refresh_id, str(error))
            raise
    return plan


def _warn_of(problem: ManifestProblem) -> None:
    log.warning(
        "manifest entry without a usable id; nothing will be removed",
        position=problem.position,
        field=problem.field,
        reason=problem.message,
    )
