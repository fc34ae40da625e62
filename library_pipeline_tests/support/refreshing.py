"""Refreshes without Dagster: planned, and done chunk by chunk, over a real CMS and encoder."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import psycopg

from library_pipeline.bundles.store import BundleStore
from library_pipeline.catalog.refresh import Refresh, RefreshKind, RefreshRequest, RefreshScope
from library_pipeline.database.connection import Database
from library_pipeline.index.encoders import load_registered, register_configured
from library_pipeline.refresh.chunk import close_chunk, refresh_chunk
from library_pipeline.refresh.chunks import Chunk, claim, next_chunk
from library_pipeline.refresh.closing import finish_if_done
from library_pipeline.refresh.items import (
    ALL_STAGES,
    ChunkReport,
    Equipment,
    Stage,
    Success,
)
from library_pipeline.refresh.log import new_refresh_id, read_result
from library_pipeline.refresh.planning import plan_refresh
from library_pipeline.settings import EncoderSettings, load_settings
from library_pipeline.sources.factory import contract_source
from library_pipeline.sources.source import Source

WHOLE = RefreshScope()


class Refresher:
    """Runs refreshes of one library and keeps what was reported and told of."""

    def __init__(self, database: Database, sources: Sequence[Source]) -> None:
        self.reports: list[ChunkReport] = []
        self.told: list[Success] = []
        self.tell: Callable[[Sequence[Success]], None] = self.told.extend
        self.after_plan: Callable[[], object] = lambda: None
        self.before_chunk: Callable[[Chunk], object] = lambda chunk: None
        self.equipment = Equipment(
            database=database,
            bundles=BundleStore(load_settings().bundle_root),
            sources=tuple(sources),
            encoders=(),
            load=lambda encoder: load_registered(encoder, ()),
            batch_size=4,
        )
        self.configure(EncoderSettings(model="demo"))

    def configure(self, *configured: EncoderSettings) -> None:
        """Have these encoders configured, as a run that starts now would find them."""
        with self.equipment.database.connect() as connection:
            known = register_configured(connection, configured)
        load = cache(lambda encoder: load_registered(encoder, configured))
        self.equipment = dataclasses.replace(self.equipment, encoders=known, load=load)

    def ask_otherwise(self, **terms: float) -> None:
        """Ask the CMS on other terms, keys of CmsConnection."""
        (source,) = self.equipment.sources
        assert source.connection
        asked = contract_source(source.connection.model_copy(update=terms))
        self.equipment = dataclasses.replace(self.equipment, sources=(asked,))

    def __call__(
        self,
        kind: RefreshKind = "incremental",
        scope: RefreshScope = WHOLE,
        stages: frozenset[Stage] = ALL_STAGES,
        *,
        force: bool = False,
        chunk_size: int = 100,
    ) -> Refresh:
        database = self.equipment.database
        request = RefreshRequest(
            new_refresh_id(datetime.now(UTC)), kind, "cli", scope, force, in_process=True
        )
        plan_refresh(
            database,
            self.equipment.encoders,
            request,
            run_id=None,
            chunk_size=chunk_size,
            max_removed_share=0.5,
            sources=None if kind == "reembed" else self.equipment.sources,
        )
        self.after_plan()
        with database.connect() as connection:
            while (number := next_chunk(connection, request.refresh_id)) is not None:
                chunk = claim(connection, request.refresh_id, number, "test")
                assert chunk
                self.before_chunk(chunk)
                report = refresh_chunk(self.equipment, chunk, stages=stages)
                self.tell(report.news)
                close_chunk(database, chunk, report)
                self.reports.append(report)
                if report.stopped:
                    break
            finish_if_done(connection, request.refresh_id)
            return read_result(connection, request.refresh_id)


def counts(done: Refresh) -> dict[str, int]:
    """Return the counts that are not zero."""
    return {name: number for name, number in dataclasses.asdict(done.counts).items() if number}


def searchable(connection: psycopg.Connection) -> dict[str, str]:
    """Return what search finds: revision by component id."""
    rows = connection.execute("select component_id, revision from library.component").fetchall()
    return dict(rows)


def be_impatient(refresh: Refresher, **terms: Any) -> None:
    """Give up soon: two attempts, half a second for an answer."""
    terms = {"timeout_seconds": 0.5, "rate_limit_patience_seconds": 0.3, **terms}
    refresh.ask_otherwise(**terms)
