"""Where values come from: LIBRARY_* variables and library.yaml, as sources of pydantic-settings."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Final, TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, YamlConfigSettingsSource

from library_pipeline.catalog.errors import LibraryError

if TYPE_CHECKING:
    from pydantic_settings.sources.types import Traversable

PREFIX: Final = "LIBRARY_"
CONFIG_VARIABLE: Final = "LIBRARY_CONFIG"
DATABASE_VARIABLE: Final = "LIBRARY_DATABASE_URL"
DAGSTER_DATABASE_VARIABLE: Final = "LIBRARY_DAGSTER_DATABASE_URL"
MAX_BYTES: Final = 1024 * 1024

_NO_SETTINGS: Final = re.compile(
    # Ours, but not settings.
    r"LIBRARY_CONFIG|LIBRARY_TEST_\w+"
    # A compiler's, and conda-build's.
    r"|LIBRARY_(PATH|BIN|INC|LIB|PREFIX)"
    # Kubernetes and Docker set these for a service called library or library-cms.
    r"|LIBRARY_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT|PORT_\d+_(TCP|UDP)(_\w+)?)"
)
_YAML_KINDS: Final = (
    (NoneType, "nothing"),
    (bool, "true or false"),
    (str, "text"),
    ((int, float), "a number"),
    (date, "a date"),
    (Mapping, "a section"),
    (Sequence, "a list"),
)
_LEVEL: Final = "__"  # between the keys of a variable, for pydantic-settings alone


class SettingsError(LibraryError):
    """The configuration cannot be used; the message names each key, its value and the fault."""

    def __init__(self, message: str, *, code: str = "settings.invalid") -> None:
        super().__init__(code, message)


class Variables(EnvSettingsSource):
    """The LIBRARY_* variables. A list or a whole section is JSON; an empty variable is not set.

    pydantic-settings needs a delimiter between the keys of a nested name that no key contains.
    LIBRARY_CMS_BASE_URL has none, so this class looks the names up among the known ones.
    """

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls, case_sensitive=True, env_nested_delimiter=_LEVEL)
        known = known_variables(settings_cls)
        given = {
            known[name.upper()]: text
            for name, text in os.environ.items()
            if text and name.upper() in known
        }
        # A section comes before its keys, which win over it.
        self.env_vars = {_LEVEL.join(key): given[key] for key in sorted(given, key=len)}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Return the JSON value of a list or a section; raises SettingsError without the value."""
        kind = dict if is_section(without_none(field.annotation)) else list
        try:
            decoded = super().decode_complex_value(field_name, field, value)
        except (ValueError, RecursionError):
            decoded = None
        if isinstance(decoded, kind):
            return decoded
        name = next(
            name
            for name, key in known_variables(self.settings_cls).items()
            if key[-1] == field_name and self.env_vars.get(_LEVEL.join(key)) == value
        )
        example = '["a", "b"]' if kind is list else '{"key": "value"}'
        raise SettingsError(
            f"{name} cannot be read: it must be JSON like {example} (or use library.yaml for it)"
        )


class LibraryYaml(YamlConfigSettingsSource):
    """The keys of library.yaml. A top-level key without a value is not given."""

    def _read_file(self, file_path: Path | Traversable) -> dict[str, Any]:
        """Return the keys and values of the file; raises SettingsError, which shows no value."""
        import yaml  # noqa: PLC0415 - only needed where there is a file

        try:
            if isinstance(file_path, Path) and file_path.stat().st_size > MAX_BYTES:
                raise SettingsError(
                    f"{file_path} is larger than {MAX_BYTES:,} bytes; is it a library.yaml?"
                )
            values: object = super()._read_file(file_path)
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
            raise SettingsError(f"{file_path} cannot be read: {reason}") from None
        except yaml.YAMLError as error:
            raise SettingsError(f"{file_path} cannot be read as YAML: {_fault(error)}") from None
        except (ValueError, TypeError, RecursionError, OverflowError):
            # PyYAML fails on `2026-13-45`, which only looks like a date; the error may show it.
            fault = "one of its values looks like a date or a number but is none; put it in quotes"
            raise SettingsError(f"{file_path} cannot be read as YAML: {fault}") from None
        if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
            what = "keys that are no names" if isinstance(values, dict) else kind_of(values)
            raise SettingsError(
                f"{file_path} holds {what}; it must hold lines like `home: .library`"
            )
        return {key: value for key, value in values.items() if value is not None}


def config_file() -> Path:
    """Return the path of library.yaml: $LIBRARY_CONFIG, else the one in the working directory."""
    return Path(os.environ.get(CONFIG_VARIABLE) or "library.yaml").absolute()


def known_variables(
    model: type[BaseModel], outer: tuple[str, ...] = ()
) -> dict[str, tuple[str, ...]]:
    """Return the key that each variable sets: `cms`, `base_url` for LIBRARY_CMS_BASE_URL."""
    keys = [(*outer, name) for name in model.model_fields]
    known = {PREFIX + "_".join(key).upper(): key for key in keys}
    for key, field in zip(keys, model.model_fields.values(), strict=True):
        section = without_none(field.annotation)
        if is_section(section):
            known |= known_variables(section, key)
    return known


def unknown_variables(model: type[BaseModel]) -> list[str]:
    """Return the names of LIBRARY_* variables that set nothing and belong to no other program."""
    known = known_variables(model)
    return sorted(
        name
        for name in os.environ
        if name.upper().startswith(PREFIX)
        and name.upper() not in known
        and not _NO_SETTINGS.fullmatch(name.upper())
    )


def kind_of(value: object) -> str:
    """Return the kind of a YAML value in plain words, without the value."""
    return next((words for kind, words in _YAML_KINDS if isinstance(value, kind)), "something else")


def is_section(kind: Any) -> TypeGuard[type[BaseModel]]:
    """Return whether a field's type is a section."""
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def without_none(annotation: Any) -> Any:
    """Return X for `X | None`, any other type unchanged."""
    if get_origin(annotation) not in (Union, UnionType):
        return annotation
    kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
    return kinds[0] if len(kinds) == 1 else annotation


def _fault(error: Any) -> str:
    """Return where the file stops being YAML and why, without a quote: that may be a token."""
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    problem = getattr(error, "problem", None) or "it holds characters that YAML does not allow"
    return where + re.sub(r"""(['"]).{2,}\1""", "...", problem, flags=re.DOTALL)
