"""The Dagster instance of a library: its home folder and its environment variables."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from library_pipeline.settings import (
    DAGSTER_DATABASE_VARIABLE,
    DATABASE_VARIABLE,
    Settings,
    environment,
)
from library_pipeline.shipped import shipped
from library_pipeline.store.database import Database


def instance_environment(settings: Settings, database: Database) -> Mapping[str, str]:
    """Return the environment variables with which a Dagster process works on this library."""
    return {
        **environment(settings),
        DATABASE_VARIABLE: database.url,
        DAGSTER_DATABASE_VARIABLE: database.dagster_url,
        "DAGSTER_HOME": str(_dagster_home(settings)),
    }


@contextmanager
def open_instance(settings: Settings, database: Database) -> Iterator[dg.DagsterInstance]:
    """Yield the instance that the UI shows; inside, this process's environment points to it."""
    variables = instance_environment(settings, database)
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        with dg.DagsterInstance.from_config(variables["DAGSTER_HOME"]) as instance:
            yield instance
    finally:
        # A variable left behind would look like a configured database to the next reader.
        for name in variables:
            os.environ.pop(name)
            if name in before:
                os.environ[name] = before[name]


def _dagster_home(settings: Settings) -> Path:
    """Return the folder with dagster.yaml: $DAGSTER_HOME, else one below the library's home."""
    if given := os.environ.get("DAGSTER_HOME"):
        return Path(given)
    home = settings.home / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    config, wanted = home / "dagster.yaml", shipped("dagster.yaml").read_text()
    if not config.exists() or config.read_text() != wanted:
        config.write_text(wanted)
    return home
