"""From a file and an environment to settings, or to an error that says what to change."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from library_pipeline.settings.errors import SettingsError
from library_pipeline.settings.explain import explain, unknown_variable
from library_pipeline.settings.file import config_file
from library_pipeline.settings.model import Settings
from library_pipeline.settings.variables import CONFIG_VARIABLE, unknown_variables

__all__ = ["config_file", "environment", "load_settings"]


def load_settings() -> Settings:
    """Read library.yaml and the environment. Raises SettingsError, which names every bad key.

    Relative paths start from the folder of library.yaml, wherever the program was started.
    """
    path = config_file()
    if os.environ.get(CONFIG_VARIABLE) and not path.is_file():
        raise SettingsError(f"{CONFIG_VARIABLE} names {path}, which is not a file")
    settings = None
    problems = [unknown_variable(name, Settings) for name in unknown_variables(Settings)]
    try:
        settings = Settings()
    except ValidationError as error:
        problems += explain(error, Settings, os.environ, path)
    except SettingsError as error:
        if not problems:
            raise
        problems.append(str(error))
    if problems or settings is None:
        head = f"The configuration ({path} and LIBRARY_* variables) is not valid:"
        raise SettingsError("\n  ".join([head, *problems]))
    placed = cast("Settings", _from(path.parent, settings))
    folders: dict[str, Any] = {"home": placed.home.resolve()}
    if placed.bundle_store and not re.match(r"[\w+]+:", placed.bundle_store):  # not a URL
        folders["bundle_store"] = str(path.parent / placed.bundle_store)
    return placed.model_copy(update=folders)


def environment(settings: Settings) -> Mapping[str, str]:
    """Return the variables that make a child process see the same configuration file and home."""
    variables = {"LIBRARY_HOME": str(settings.home)}
    if config_file().is_file():
        variables[CONFIG_VARIABLE] = str(config_file())
    return variables


def _from(folder: Path, value: object) -> object:
    """Return a section, or what else a key may have, with its relative paths below `folder`."""
    match value:
        case Path():
            return folder / value
        case tuple():
            return tuple(_from(folder, each) for each in cast("tuple[object, ...]", value))
        case BaseModel():
            given: dict[str, Any] = {
                name: getattr(value, name) for name in type(value).model_fields
            }
            placed = {name: _from(folder, each) for name, each in given.items()}
            # What is as it was does not count as given.
            return value.model_copy(
                update={name: each for name, each in placed.items() if each != given[name]}
            )
        case _:
            return value
