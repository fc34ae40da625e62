"""What is wrong with a configuration, in the words of whoever wrote it; shows no secret."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from library_pipeline.settings.allowed import (
    allowed,
    field_at,
    is_model,
    kind_of,
    model_at,
    without_none,
)
from library_pipeline.settings.variables import PREFIX, known_variables, read_variables

_SHOWN: Final = 60
# Not only in secret fields: what was pasted into the wrong key may be a secret still.
_SECRET: Final = re.compile(r"token|secret|password|database", re.IGNORECASE)
_CREDENTIALS: Final = re.compile(r"[@?#]")


def explain(
    error: ValidationError, model: type[BaseModel], environ: Mapping[str, str], path: Path
) -> list[str]:
    """Return one line for each problem, with key, value, where that was given, and what may be."""
    given = read_variables(model, environ)
    lines = []
    for item in error.errors(include_url=False):
        if not item["loc"]:
            lines.append(_whole(_reason(item), model, environ))
            continue
        key, source = written(item["loc"]), _source(item["loc"], given, environ, model, path)
        if item["type"] == "invalid_key":  # YAML's, which may be a number, say
            lines.append(f"{key} ({source}): a key must be a name")
        elif item["type"] == "extra_forbidden":
            lines.append(f"{key} ({source}): {_no_such_key(item['loc'], model)}")
        else:
            shown = _shown(item["loc"], item["input"], model)
            lines.append(f"{key} = {shown} ({source}): {_wanted(item, model)}")
    return lines


def unknown_variable(name: str, model: type[BaseModel]) -> str:
    """Return what to say of a LIBRARY_* variable that sets nothing."""
    known = known_variables(model)
    if name.upper().startswith("LIBRARY_ENCODERS_"):
        return f"{name}: a list is set as a whole, as JSON in LIBRARY_ENCODERS, or in library.yaml"
    words = {known_name.removeprefix(PREFIX): known_name for known_name in known}
    near = difflib.get_close_matches(name.upper().removeprefix(PREFIX), words, n=1, cutoff=0.7)
    hint = f"did you mean {words[near[0]]}?" if near else "see docs/configuration.md"
    return f"{name}: there is no such variable; {hint}"


def written(loc: tuple[int | str, ...]) -> str:
    """Return a key as a person would write it: `encoders[0].framing`."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc]
    return _printable("".join(parts).removeprefix("."))


def _whole(reason: str, model: type[BaseModel], environ: Mapping[str, str]) -> str:
    """Return a problem between keys, with the variables that set one of them."""
    named = [
        name
        for name, key in known_variables(model).items()
        if environ.get(name) and re.search(rf"\b{key[0]}\b", reason)
    ]
    return reason + (f" (set by {', '.join(named)})" if named else "")


def _source(
    loc: tuple[int | str, ...],
    given: Mapping[str, Any],
    environ: Mapping[str, str],
    model: type[BaseModel],
    path: Path,
) -> str:
    """Return the variable that gave the value at `loc`, else the file's name."""
    value: Any = given
    for part in loc:
        if isinstance(part, int):
            break  # lists are given as a whole
        if not isinstance(value, Mapping) or part not in value:
            return path.name
        value = value[part]
    known = known_variables(model)
    setting = [name for name in environ if known.get(name.upper()) in (loc[:1], loc[:2], loc[:3])]
    return max(setting, key=len, default=path.name)


def _no_such_key(loc: tuple[int | str, ...], model: type[BaseModel]) -> str:
    key = str(loc[-1])
    section = model_at(model, loc[:-1])
    names = list(section.model_fields)
    near = difflib.get_close_matches(key.lower(), names, n=1)
    if not near:  # it may be a key of another section
        dotted = [".".join(known) for known in known_variables(model).values()]
        near = [other for other in dotted if other.rpartition(".")[2] == key][:1]
    where = written(loc[:-1]) or "library.yaml"
    hint = f"; did you mean `{near[0]}`?" if near else ";"
    return f"there is no such key{hint} {where} has {', '.join(names)}"


def _shown(loc: tuple[int | str, ...], value: object, model: type[BaseModel]) -> str:
    """Return a value as it may be shown: only those that stand where no secret is expected."""
    field = field_at(model, loc)
    kind = without_none(field.annotation) if field else SecretStr
    if kind is SecretStr or _SECRET.search(str(loc[-1])):
        return "(hidden)"
    if is_model(kind) or not isinstance(value, str | int | float):
        return kind_of(value)
    if isinstance(value, str) and _CREDENTIALS.search(value):
        return "(hidden)"
    return _printable(_abridged(value))


def _abridged(value: str | float) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write out very long numbers
        return "a very long number"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)[:200]


def _wanted(item: ErrorDetails, model: type[BaseModel]) -> str:
    if item["type"] == "value_error":
        return _reason(item)
    field = field_at(model, item["loc"])
    words = allowed(field) if field is not None else None
    if not words:
        return _reason(item)
    default = field.get_default(call_default_factory=True) if field else None
    if item["input"] is None and isinstance(default, str | int | float):
        return f"it must be {words}; leave the line out for {default}"
    return f"it must be {words}"


def _reason(item: ErrorDetails) -> str:
    """Return a validator's own words without pydantic's `Value error, `."""
    raised = item.get("ctx", {}).get("error")
    return str(raised) if raised is not None else item["msg"]
