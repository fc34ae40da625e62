"""The Python interface for notebooks and other programs; its refreshes are Dagster runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from library_pipeline.catalog.refresh import Refresh, RefreshRequest, RefreshScope
from library_pipeline.defs.in_process import RefreshError, RefreshInterrupted
from library_pipeline.launch import open_launcher
from library_pipeline.refresh.log import new_refresh_id
from library_pipeline.settings import load_settings

__all__ = ["Refresh", "RefreshError", "RefreshInterrupted", "refresh"]


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
) -> Refresh:
    """Bring the index up to date with the CMS that library.yaml and the environment describe.

    `task_id` becomes the refresh's id in the UI, `status` and `cancel`; without one, the refresh
    gets a new id. `max_components`, `client`, `category` and `only` (ids) narrow the
    refresh, which then removes nothing. `force`, for a full refresh, downloads and embeds
    unchanged components again. A retry takes every failed component, due or not.

    Returns the refresh with its failures; a failed component raises no error. Raises
    SettingsError, RefreshExistsError if a refresh has the id `task_id` already, and RefreshError
    with the reason if the refresh could not be planned or was stopped.
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
    with open_launcher(load_settings()) as launcher:
        return launcher.refresh(request, approve_removals=approve_removals)
