"""The LIBRARY_* variables: which there are, what they set, and which are somebody else's."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any, Final, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from library_pipeline.settings.allowed import is_model, model_at, without_none
from library_pipeline.settings.errors import SettingsError

PREFIX: Final = "LIBRARY_"
CONFIG_VARIABLE: Final = "LIBRARY_CONFIG"
DATABASE_VARIABLE: Final = "LIBRARY_DATABASE_URL"
DAGSTER_DATABASE_VARIABLE: Final = "LIBRARY_DAGSTER_DATABASE_URL"

_NO_SETTINGS: Final = re.compile(
    # Ours, but not settings.
    r"LIBRARY_CONFIG|LIBRARY_TEST_\w+"
    # A compiler's, and conda-build's.
    r"|LIBRARY_(PATH|BIN|INC|LIB|PREFIX)"
    # What Kubernetes and Docker tell every container of a service called library or library-cms.
    r"|LIBRARY_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT|PORT_\d+_(TCP|UDP)(_\w+)?)"
)


def variable_of(*key: str) -> str:
    """Return the variable that sets a key: LIBRARY_CMS_BASE_URL for cms, base_url."""
    return PREFIX + "_".join(key).upper()


def known_variables(
    model: type[BaseModel], outer: tuple[str, ...] = ()
) -> dict[str, tuple[str, ...]]:
    """Return every variable that sets something, with the key that it sets."""
    known = {variable_of(*outer, name): (*outer, name) for name in model.model_fields}
    for name, field in model.model_fields.items():
        section = without_none(field.annotation)
        if is_model(section):
            known |= known_variables(section, (*outer, name))
    return known


def unknown_variables(model: type[BaseModel], environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return the names of LIBRARY_* variables that set nothing and belong to nobody else."""
    known = known_variables(model)
    return sorted(
        name
        for name in environ
        if name.upper().startswith(PREFIX)
        and name.upper() not in known
        and not _NO_SETTINGS.fullmatch(name.upper())
    )


def read_variables(model: type[BaseModel], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return what the environment sets, as library.yaml would hold it.

    A list or a whole section is written as JSON; an empty variable counts as not set. Raises
    SettingsError, which shows no value.
    """
    known = known_variables(model)
    given = {name.upper(): text for name, text in environ.items() if name.upper() in known and text}
    values: dict[str, Any] = {}
    for name in sorted(given, key=lambda name: len(known[name])):  # a section before its keys
        *outer, key = known[name]
        parent = model_at(model, tuple(outer))
        value = _parsed(name, given[name], parent.model_fields[key])
        _section(values, outer)[key] = value
    return values


def _section(values: dict[str, Any], path: list[str]) -> dict[str, Any]:
    """Return the section at `path` of `values`, made where it is missing or is none."""
    for name in path:
        if not isinstance(values.get(name), dict):
            values[name] = {}
        values = values[name]
    return values


def _parsed(name: str, text: str, field: FieldInfo) -> Any:
    kind = dict if is_model(without_none(field.annotation)) else list
    if kind is list and get_origin(field.annotation) is not tuple:
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, kind):
        example = '["a", "b"]' if kind is list else '{"key": "value"}'
        raise SettingsError(
            f"{name} cannot be read: it must be JSON like {example} (or use library.yaml for it)"
        )
    return value
