"""`library-pipeline approve`: a person lets held-back removals happen."""

from __future__ import annotations

from library_pipeline.catalog.refresh import RefreshResult
from library_pipeline.cli.console import confirm, console
from library_pipeline.cli.refresh import refresh_library
from library_pipeline.settings import load_settings
from library_pipeline.store.database import open_database
from library_pipeline.store.removals import held_removals


def approve_held(*, yes: bool, as_json: bool, verbose: bool) -> RefreshResult | None:
    """Show what is held back, ask, and remove it by a refresh; None if there is nothing.

    What has come back to the CMS meanwhile stays.
    """
    with open_database(load_settings()) as database, database.connect() as connection:
        held = held_removals(connection)
    if not held.count:
        console.print("Nothing is held back.")
        return None
    if not as_json:
        console.print(
            f"{held.count} of {held.indexed} indexed components have left the CMS"
            f" (noticed {held.since:%Y-%m-%d %H:%M} UTC):"
        )
        for component_id in held.examples:
            console.print(f"  {component_id}", markup=False)
        if held.count > len(held.examples):
            console.print(f"  ... and {held.count - len(held.examples)} more")
    confirm(f"Remove these {held.count} components from the index?", yes=yes)
    return refresh_library("incremental", approve_removals=True, as_json=as_json, verbose=verbose)
