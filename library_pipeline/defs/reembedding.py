"""Planning a reembed as a Dagster op: what lacks vectors is cut into chunks, without the CMS."""

from datetime import UTC, datetime

import dagster as dg

from library_pipeline.defs.assets import asked_by
from library_pipeline.defs.config import ReembedConfig
from library_pipeline.defs.recovery import recover
from library_pipeline.defs.resources import DatabaseResource, EncodersResource
from library_pipeline.refresh.reembedding import plan_reembed
from library_pipeline.settings import load_settings
from library_pipeline.store.closing import finish_if_done
from library_pipeline.store.leases import lease
from library_pipeline.store.log import new_refresh_id

PLAN = "plan_reembed"


@dg.op(name=PLAN, description="Find what lacks vectors of a configured encoder, and cut chunks.")
def plan_reembed_op(
    context: dg.OpExecutionContext,
    config: ReembedConfig,
    database: DatabaseResource,
    encoders: EncodersResource,
) -> None:
    """Plan a reembed; the chunk sensor, or the command line, then has its chunks done."""
    settings = load_settings().refresh
    request = config.request(new_refresh_id(datetime.now(UTC)), asked_by(context.run))
    with database.open() as db, lease(db, context.run_id):
        with db.connect() as connection:
            recover(context.instance, connection)
        plan = plan_reembed(
            db,
            encoders.register(db),
            request,
            run_id=context.run_id,
            chunk_size=settings.chunk_size,
            buckets=settings.partition_buckets,
        )
        with db.connect() as connection:
            finish_if_done(connection, plan.refresh_id)
    context.log.info(
        f"reembed {plan.refresh_id}: {plan.planned} components in {len(plan.chunks)} chunks"
    )
