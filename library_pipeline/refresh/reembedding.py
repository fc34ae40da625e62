"""The first step of a reembed: find what lacks vectors, without the CMS, and cut chunks."""

from __future__ import annotations

from collections.abc import Sequence

from library_pipeline.catalog.refresh import RefreshRequest
from library_pipeline.store.ann import drop_for_bulk_load
from library_pipeline.store.closing import stop_refresh
from library_pipeline.store.database import Database
from library_pipeline.store.embeddings import RegisteredEncoder
from library_pipeline.store.leases import lease
from library_pipeline.store.log import create_refresh
from library_pipeline.store.plans import Plan
from library_pipeline.store.reembedding import make_reembed_plan


def plan_reembed(
    database: Database,
    encoders: Sequence[RegisteredEncoder],
    request: RefreshRequest,
    *,
    run_id: str | None,
    chunk_size: int,
    buckets: int | None = None,
) -> Plan:
    """Record the reembed, planned by the Dagster run `run_id`. Raises RefreshExistsError."""
    with lease(database, request.refresh_id), database.connect() as connection:
        create_refresh(connection, request, run_id=run_id)
        try:
            plan = make_reembed_plan(
                connection,
                request,
                encoders=encoders,
                chunk_size=chunk_size,
                buckets=buckets,
            )
            for encoder in encoders:
                if encoder.configured:
                    drop_for_bulk_load(connection, encoder, plan.planned)
        except Exception as error:
            stop_refresh(connection, request.refresh_id, str(error))
            raise
    return plan
