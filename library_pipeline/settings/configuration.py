"""Loading: library.yaml and the environment become settings, or an error that says what to change.

Secrets outside the settings are read here too, at the moment of their use.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, SecretStr, ValidationError

from library_pipeline.settings.messages import explain, explain_unknown_variable
from library_pipeline.settings.model import Settings
from library_pipeline.settings.origins import (
    CONFIG_VARIABLE,
    SettingsError,
    config_file,
    unknown_variables,
)
from library_pipeline.settings.source_keys import Secret


def load_settings() -> Settings:
    """Read library.yaml and the environment. Raises SettingsError, which names every bad key.

    Relative paths start from the folder of library.yaml, not from the working directory.
    """
    path = config_file()
    settings = None
    problems = [explain_unknown_variable(name) for name in unknown_variables(Settings)]
    try:
        _check_file(path)
        settings = Settings()
    except ValidationError as error:
        problems += explain(error, path)
    except SettingsError as error:
        if not problems:
            raise
        problems.append(error.message)
    if problems or settings is None:
        head = f"The configuration ({path} and LIBRARY_* variables) is not valid:"
        raise SettingsError("\n  ".join([head, *problems]))
    placed = cast("Settings", _below(path.parent, settings))
    folders: dict[str, Any] = {"home": placed.home.resolve()}
    if placed.bundle_store and not re.match(r"[\w+]+:", placed.bundle_store):  # not a URL
        folders["bundle_store"] = str(path.parent / placed.bundle_store)
    return placed.model_copy(update=folders)


def environment(settings: Settings) -> Mapping[str, str]:
    """Return the variables that give a child process the same configuration file and home."""
    variables = {"LIBRARY_HOME": str(settings.home)}
    if config_file().is_file():
        variables[CONFIG_VARIABLE] = str(config_file())
    return variables


def read_secret(secret: Secret, environ: Mapping[str, str] = os.environ) -> SecretStr:
    """Return the secret in a variable or a file, without the line's end.

    pydantic-settings reads secrets from a folder, all at once and at start-up; a secret here has
    a name or a path of its own, and a new value counts at its next use. Raises SettingsError,
    which names the variable or the file and never shows the secret.
    """
    if secret.secret_env is not None:
        text = environ.get(secret.secret_env, "")
        if not text.strip():
            raise SettingsError(f"the environment variable {secret.secret_env} is not set or empty")
        return SecretStr(text.strip("\r\n"))
    path = secret.secret_file or Path()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"the file {path} cannot be read: {error.strerror}") from None
    except ValueError:  # bad bytes, or a NUL in the path; the error may quote either
        raise SettingsError(f"the file {path} cannot be read as text in UTF-8") from None
    if not text.strip():
        raise SettingsError(f"the file {path} is empty; it must hold the secret")
    return SecretStr(text.strip("\r\n"))


def _check_file(path: Path) -> None:
    """Raise SettingsError unless the file can be opened; only the default one may be missing.

    pydantic-settings ignores a path that is not a file, and Docker makes a folder of a file that
    it cannot mount.
    """
    try:
        if path.is_file() or not (os.environ.get(CONFIG_VARIABLE) or path.exists()):
            return
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    if os.environ.get(CONFIG_VARIABLE):
        raise SettingsError(f"{CONFIG_VARIABLE} names {path}, which is not a file")
    raise SettingsError(f"{path} cannot be read: it is not a file")


def _below(folder: Path, value: object) -> object:
    """Return a section, or any other value, with its relative paths below `folder`."""
    match value:
        case Path():
            return folder / value
        case tuple():
            return tuple(_below(folder, each) for each in cast("tuple[object, ...]", value))
        case BaseModel():
            given: dict[str, Any] = {
                name: getattr(value, name) for name in type(value).model_fields
            }
            placed = {name: _below(folder, each) for name, each in given.items()}
            # A value that did not change must not count as given.
            return value.model_copy(
                update={name: each for name, each in placed.items() if each != given[name]}
            )
        case _:
            return value
