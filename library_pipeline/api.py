"""The Python face: what a notebook or another program calls; the same Dagster runs as elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Literal

from library_pipeline.catalog.refresh import RefreshRequest, RefreshResult, RefreshScope
from library_pipeline.defs.in_process import RefreshError, RefreshInterrupted, run_refresh
from library_pipeline.defs.instance import open_instance
from library_pipeline.settings import load_settings
from library_pipeline.store.closing import cancel_refresh
from library_pipeline.store.database import Database, open_database
from library_pipeline.store.refreshes import new_refresh_id

__all__ = ["RefreshError", "RefreshInterrupted", "RefreshResult", "refresh"]


def refresh(
    refresh_type: Literal["full", "incremental", "retry"] = "incremental",
    task_id: str | None = None,
    max_components: int | None = None,
    *,
    client: str | None = None,
    category: str | None = None,
    only: Sequence[str] = (),
    force: bool = False,
    approve_removals: bool = False,
) -> RefreshResult:
    """Bring the index up to date with the CMS, as library.yaml and the environment describe them.

    `task_id` becomes the refresh's id, under which the UI, `status` and `cancel` know it; one is
    made up if it is missing. `max_components`, `client`, `category` and `only` (ids) narrow the
    refresh, which then removes nothing. `force`, for a full refresh, downloads and embeds again
    whatever is there. A retry takes every failed component, due or not.

    Raises SettingsError, RefreshExistsError for a `task_id` that was used before, RefreshError
    where the refresh could not be planned or was stopped, with the reason; a component that
    fails is in the result instead.
    """
    if force and refresh_type != "full":
        raise ValueError(f"force=True is for refresh_type='full', not {refresh_type!r}")
    if refresh_type not in ("full", "incremental", "retry"):
        raise ValueError(f"refresh_type={refresh_type!r} is none of full, incremental, retry")
    request = RefreshRequest(
        refresh_id=task_id or new_refresh_id(datetime.now(UTC)),
        kind=refresh_type,
        asked_by="python",
        scope=RefreshScope(
            client=client, category=category, limit=max_components, only=tuple(only)
        ),
        force=force,
        in_process=True,
    )
    settings = load_settings()
    with open_database(settings) as database, open_instance(settings, database) as instance:
        from library_pipeline.definitions import library_definitions  # noqa: PLC0415 - reads settings

        def run() -> RefreshResult:
            return run_refresh(
                library_definitions(settings),
                instance,
                database,
                request,
                approve_removals=approve_removals,
            )

        return _beside_a_loop(run, database, request) if _in_event_loop() else run()


def _in_event_loop() -> bool:
    """Whether the caller runs in an event loop, as every cell of a notebook does."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _beside_a_loop(
    run: Callable[[], RefreshResult], database: Database, request: RefreshRequest
) -> RefreshResult:
    """Run in a thread, which has no event loop yet; an interruption cancels the refresh."""
    with ThreadPoolExecutor(1, thread_name_prefix="refresh") as thread:
        future = thread.submit(run)
        try:
            return future.result()
        except KeyboardInterrupt:
            with database.connect() as connection:
                cancel_refresh(connection, request.refresh_id)
            raise
