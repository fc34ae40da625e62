"""From a file and an environment to settings, or to an error that says what to change."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pydantic import ValidationError

from library_pipeline.settings.errors import SettingsError
from library_pipeline.settings.explain import explain, unknown_variable
from library_pipeline.settings.file import config_file
from library_pipeline.settings.model import Settings
from library_pipeline.settings.variables import CONFIG_VARIABLE, unknown_variables

__all__ = ["config_file", "environment", "load_settings"]


def load_settings() -> Settings:
    """Read library.yaml and the environment. Raises SettingsError, which names every bad key.

    A relative `home` is taken from the folder of library.yaml.
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
    return settings.model_copy(update={"home": (path.parent / settings.home).resolve()})


def environment(settings: Settings) -> Mapping[str, str]:
    """Return the variables that make a child process see the same configuration file and home."""
    variables = {"LIBRARY_HOME": str(settings.home)}
    if config_file().is_file():
        variables[CONFIG_VARIABLE] = str(config_file())
    return variables
