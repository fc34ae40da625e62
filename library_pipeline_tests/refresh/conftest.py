"""A refresh without Dagster: planned and done chunk by chunk, over a real CMS and encoder."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache, partial

import psycopg
import pytest

from library_pipeline.bundles.store import BundleStore
from library_pipeline.catalog.refresh import (
    Refresh,
    RefreshKind,
    RefreshRequest,
    RefreshScope,
)
from library_pipeline.refresh.chunk import refresh_chunk
from library_pipeline.refresh.items import (
    ALL_STAGES,
    ChunkReport,
    EncoderInUse,
    Equipment,
    Report,
    Stage,
)
from library_pipeline.refresh.planning import plan_refresh
from library_pipeline.refresh.reembedding import plan_reembed
from library_pipeline.sample_cms import SampleCms
from library_pipeline.settings import EncoderSettings, load_settings
from library_pipeline.sources.configured import contract_source
from library_pipeline.sources.http_cms import CmsConnection
from library_pipeline.sources.source import Source
from library_pipeline.store.chunks import Chunk, claim, next_chunk
from library_pipeline.store.closing import finish_if_done
from library_pipeline.store.database import Database
from library_pipeline.store.log import new_refresh_id, read_result
from library_pipeline.store.models import load_registered, register_configured

WHOLE = RefreshScope()


class Refresher:
    """Runs refreshes of one library and keeps what was reported and told of."""

    def __init__(self, database: Database, sources: Sequence[Source]) -> None:
        self.reports: list[ChunkReport] = []
        self.told: list[Report] = []
        self.tell: Callable[[Sequence[Report]], None] = self.told.extend
        self.after_plan: Callable[[], object] = lambda: None
        self.before_chunk: Callable[[Chunk], object] = lambda chunk: None
        self.equipment = Equipment(
            database=database,
            bundles=BundleStore(load_settings().bundle_root),
            sources=tuple(sources),
            encoders=(),
            batch_size=4,
        )
        self.configure(EncoderSettings(model="demo"))

    def configure(self, *configured: EncoderSettings) -> None:
        """Have these encoders configured, as a run that starts now would find them."""
        with self.equipment.database.connect() as connection:
            known = register_configured(connection, configured)
        encoders = tuple(
            EncoderInUse(each, cache(partial(load_registered, each, configured))) for each in known
        )
        self.equipment = dataclasses.replace(self.equipment, encoders=encoders)

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
        if kind == "reembed":
            plan_reembed(
                database, self.equipment.registered, request, run_id=None, chunk_size=chunk_size
            )
        else:
            plan_refresh(
                database,
                self.equipment.registered,
                request,
                run_id=None,
                chunk_size=chunk_size,
                max_removed_share=0.5,
                sources=self.equipment.sources,
            )
        self.after_plan()
        with database.connect() as connection:
            while (number := next_chunk(connection, request.refresh_id)) is not None:
                chunk = claim(connection, request.refresh_id, number, "test")
                assert chunk
                self.before_chunk(chunk)
                self.reports.append(
                    refresh_chunk(self.equipment, chunk, tell=self.tell, stages=stages)
                )
                if self.reports[-1].stopped:
                    break
            finish_if_done(connection, request.refresh_id)
            return read_result(connection, request.refresh_id)


@pytest.fixture
def refresh(database: Database, cms: SampleCms) -> Refresher:
    connection = CmsConnection(base_url=cms.url, max_attempts=2, backoff_seconds=0.01)
    return Refresher(database, [contract_source(connection)])


def counts(done: Refresh) -> dict[str, int]:
    """Return the counts that are not zero."""
    return {name: number for name, number in dataclasses.asdict(done.counts).items() if number}


def searchable(connection: psycopg.Connection) -> dict[str, str]:
    """Return what search finds: revision by component id."""
    rows = connection.execute("select component_id, revision from library.component").fetchall()
    return dict(rows)
