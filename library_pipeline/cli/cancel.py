"""`library-pipeline cancel`: stop refreshes, wherever they run."""

from __future__ import annotations

from library_pipeline.cli.console import console, fail
from library_pipeline.settings import load_settings
from library_pipeline.store.closing import cancel_refresh
from library_pipeline.store.database import open_database
from library_pipeline.store.snapshots import snapshot, unfinished_ids


def cancel_refreshes(refresh_id: str | None) -> None:
    """Ask one refresh, or all unfinished ones, to stop, and say what that means."""
    with open_database(load_settings()) as database, database.connect() as connection:
        if refresh_id and snapshot(connection, refresh_id) is None:
            fail(f"there is no refresh {refresh_id}; library-pipeline status shows those there are")
        wanted = [refresh_id] if refresh_id else unfinished_ids(connection)
        stopped = [each for each in wanted if cancel_refresh(connection, each)]
    for each in stopped:
        console.print(f"refresh {each} stops after what is under way; what is done stays done")
    if refresh_id and not stopped:
        console.print(f"refresh {refresh_id} is over already")
    elif not stopped:
        console.print("no refresh is running")
