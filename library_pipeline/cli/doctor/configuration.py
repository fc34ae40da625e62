"""Which configuration holds, or each thing that is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Iterator

from library_pipeline.cli.doctor.check import Check
from library_pipeline.settings import (
    DAGSTER_DATABASE_VARIABLE,
    DATABASE_VARIABLE,
    Settings,
    SettingsError,
    config_file,
)
from library_pipeline.settings.variables import known_variables

_NAME = "configuration"


def check_configuration(settings: Settings | None, error: SettingsError | None) -> Iterator[Check]:
    """Yield where the settings come from, or a check for each problem."""
    if settings is None:
        head, *problems = str(error).splitlines() or ["no settings"]
        *most, last = problems or [head]
        for problem in most:
            yield Check(_NAME, "wrong", problem.strip())
        way_out = "correct each where it was given; docs/configuration.md has every key"
        yield Check(_NAME, "wrong", last.strip(), way_out)
        return
    yield Check(_NAME, "ok", f"{_file()}; {_variables()}; home {settings.home}")
    if settings.database_url is None and settings.dagster_database_url is not None:
        yield Check(
            _NAME,
            "warning",
            f"{DAGSTER_DATABASE_VARIABLE} is set but {DATABASE_VARIABLE} is not, so the embedded "
            "server is used for both",
            f"set {DATABASE_VARIABLE}, too, or neither",
        )


def _file() -> str:
    path = config_file()
    return str(path) if path.is_file() else f"no {path.name} in {path.parent}, defaults hold"


def _variables() -> str:
    names = sorted(name for name in known_variables(Settings) if os.environ.get(name))
    return f"set by variables: {', '.join(names)}" if names else "no LIBRARY_* variable"
