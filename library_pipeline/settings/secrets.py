"""Reading a secret from where the settings say it is, at the moment it is needed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from library_pipeline.settings.errors import SettingsError
from library_pipeline.settings.sources import Secret


def read_secret(secret: Secret, environ: Mapping[str, str] = os.environ) -> SecretStr:
    """Return what the variable or the file holds, without the line's end.

    Raises SettingsError, which names the variable or the file and shows nothing that it holds.
    """
    if secret.secret_env is not None:
        text = environ.get(secret.secret_env, "")
        if not text.strip():
            raise SettingsError(f"the environment variable {secret.secret_env} is not set or empty")
    else:
        text = _read_file(secret.secret_file or Path())
    return SecretStr(text.strip("\r\n"))


def _read_file(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"the file {path} cannot be read: {error.strerror}") from None
    except ValueError:  # its bytes, or a NUL in its path; the error may quote either
        raise SettingsError(f"the file {path} cannot be read as text in UTF-8") from None
    if not text.strip():
        raise SettingsError(f"the file {path} is empty; it must hold the secret")
    return text
