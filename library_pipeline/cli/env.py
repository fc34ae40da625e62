"""`library-pipeline env`: the embedded server for as long as the calling shell lives."""

from __future__ import annotations

import os
import shlex

from library_pipeline.defs.instance import instance_environment
from library_pipeline.settings import load_settings
from library_pipeline.store.database import open_database
from library_pipeline.store.embedded import hold


def print_environment() -> None:
    """Print `export` lines, and keep the embedded server up until the calling shell ends."""
    settings = load_settings()
    with open_database(settings) as database:
        if settings.database_url is None:
            hold(settings.home, os.getppid())
        for name, value in instance_environment(settings, database).items():
            print(f"export {name}={shlex.quote(value)}")  # noqa: T201 - for the shell's eval
