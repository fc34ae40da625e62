"""library.yaml: where it is, and what it holds."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from library_pipeline.settings.allowed import kind_of
from library_pipeline.settings.errors import SettingsError
from library_pipeline.settings.variables import CONFIG_VARIABLE

MAX_BYTES = 1024 * 1024


def config_file() -> Path:
    """Return the path of library.yaml: $LIBRARY_CONFIG, else the one in the working directory."""
    return Path(os.environ.get(CONFIG_VARIABLE) or "library.yaml").absolute()


def read_file(path: Path) -> dict[str, Any]:
    """Return the keys and values of a configuration file; none where there is no file.

    A key without a value counts as not given. Raises SettingsError, which shows no value.
    """
    import yaml  # noqa: PLC0415 - not needed where there is no file

    try:
        if not path.exists():
            return {}
        if path.stat().st_size > MAX_BYTES:
            raise SettingsError(f"{path} is larger than {MAX_BYTES:,} bytes; is it a library.yaml?")
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise SettingsError(f"{path} cannot be read: {reason}") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} cannot be read as YAML: {_explained(error)}") from None
    except (ValueError, TypeError, RecursionError, OverflowError):
        # From a value such as `2026-13-45`, which only looks like a date; the error may show it.
        problem = "one of its values looks like a date or a number but is none; put it in quotes"
        raise SettingsError(f"{path} cannot be read as YAML: {problem}") from None
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        what = "keys that are no names" if isinstance(values, dict) else kind_of(values)
        raise SettingsError(f"{path} holds {what}; it must hold lines like `home: .library`")
    return {key: value for key, value in values.items() if value is not None}


def _explained(error: Any) -> str:
    """Return where the file stops being YAML and why, without quoting it: it may hold a token."""
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    problem = getattr(error, "problem", None) or "it holds characters that YAML does not allow"
    return where + re.sub(r"""(['"]).{2,}\1""", "...", problem, flags=re.DOTALL)
