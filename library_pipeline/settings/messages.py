"""The words for a configuration that is not valid: key, value, origin, what is allowed; no secret.

An error of pydantic names a location and a rule. These functions turn it into a line that the
author of library.yaml understands.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from library_pipeline.settings.model import Settings
from library_pipeline.settings.origins import (
    PREFIX,
    Variables,
    is_section,
    kind_of,
    known_variables,
    without_none,
)

Location = tuple[int | str, ...]
"""Where a value stands: `("encoders", 0, "framing")`."""

_MAX_SHOWN: Final = 60
# Not only in secret fields: a secret may have been pasted under the wrong key.
_SECRET: Final = re.compile(r"token|secret|password|database", re.IGNORECASE)
_CREDENTIALS: Final = re.compile(r"[@?#]")
_KINDS: Final = {bool: "true or false", str: "text", SecretStr: "text", Path: "a folder's path"}


def explain(error: ValidationError, path: Path) -> list[str]:
    """Return one line for each problem, with key, value, origin and what is allowed."""
    given = Variables(Settings)()
    lines = []
    for item in error.errors(include_url=False):
        loc = item["loc"]
        if not loc:
            lines.append(_explain_conflict(_reason(item)))
            continue
        key, origin = write_key(loc), _origin(loc, given) or path.name
        if item["type"] == "invalid_key":  # YAML allows a number as a key
            lines.append(f"{key} ({origin}): a key must be a name")
        elif item["type"] == "extra_forbidden":
            lines.append(f"{key} ({origin}): {_explain_unknown_key(loc)}")
        else:
            lines.append(f"{key} = {_show(loc, item['input'])} ({origin}): {_demand(item)}")
    return lines


def explain_unknown_variable(name: str) -> str:
    """Return the line for a LIBRARY_* variable that sets nothing."""
    if name.upper().startswith("LIBRARY_ENCODERS_"):
        return f"{name}: a list is set as a whole, as JSON in LIBRARY_ENCODERS, or in library.yaml"
    words = {known.removeprefix(PREFIX): known for known in known_variables(Settings)}
    near = difflib.get_close_matches(name.upper().removeprefix(PREFIX), words, n=1, cutoff=0.7)
    hint = f"did you mean {words[near[0]]}?" if near else "see docs/configuration.md"
    return f"{name}: there is no such variable; {hint}"


def write_key(loc: Location) -> str:
    """Return a location as a person writes it: `encoders[0].framing`."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc]
    return _printable("".join(parts).removeprefix("."))


def allowed_values(field: FieldInfo) -> str | None:
    """Return what `field` may hold, None where there are no words for its type."""
    kind = without_none(field.annotation)
    if field.description or kind in _KINDS:
        return field.description or _KINDS[kind]
    if kind in (int, float):
        return ("a whole number" if kind is int else "a number") + _bounds(field.metadata)
    if get_origin(kind) is Literal:
        *others, last = [f"`{choice}`" for choice in get_args(kind)]
        return " or ".join(filter(None, [", ".join(others), last]))
    if get_origin(kind) is tuple:
        item = FieldInfo.from_annotation(get_args(kind)[0])
        return f"a list, each item {allowed_values(item)}"
    if is_section(kind):
        return f"a section with the keys {', '.join(kind.model_fields)}"
    return None


def _bounds(metadata: Sequence[Any]) -> str:
    """Return the bounds of a number: ` from 1 to 1000`."""
    bounds = {
        name: getattr(rule, name)
        for rule in metadata
        for name in ("gt", "ge", "lt", "le")
        if getattr(rule, name, None) is not None
    }
    match bounds:
        case {"ge": low, "le": high}:
            return f" from {low} to {high}"
        case {"ge": low}:
            return f" of at least {low}"
        case {"gt": below}:
            return f" greater than {below}"
        case {"le": high}:
            return f" of at most {high}"
        case _:
            return ""


def _field_at(loc: Location) -> FieldInfo | None:
    """Return the field at a location, None where there is no such key."""
    last = loc[-1]
    if isinstance(last, str):
        return _section_at(loc[:-1]).model_fields.get(last)
    items = _field_at(loc[:-1])
    kinds = get_args(items.annotation)[:1] if items else ()
    return FieldInfo.from_annotation(kinds[0]) if kinds else None


def _section_at(loc: Location) -> type[BaseModel]:
    """Return the section at a location, or the innermost one around it."""
    section: type[BaseModel] = Settings
    for part in loc:
        field = section.model_fields.get(part) if isinstance(part, str) else None
        for kind in (field.annotation, *get_args(field.annotation)) if field else ():
            if is_section(kind):
                section = kind
    return section


def _explain_conflict(reason: str) -> str:
    """Return a problem between keys, with the variables that set one of them."""
    names = [
        name
        for name, key in known_variables(Settings).items()
        if os.environ.get(name) and re.search(rf"\b{key[0]}\b", reason)
    ]
    return reason + (f" (set by {', '.join(names)})" if names else "")


def _origin(loc: Location, given: Mapping[str, Any]) -> str | None:
    """Return the variable that gave the value at `loc`, None if the file gave it."""
    value: Any = given
    for part in loc:
        if isinstance(part, int):
            break  # a list is given as a whole
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    known = known_variables(Settings)
    prefixes = (loc[:1], loc[:2], loc[:3])
    names = [name for name in os.environ if known.get(name.upper()) in prefixes]
    return max(names, key=len, default=None)


def _explain_unknown_key(loc: Location) -> str:
    key = str(loc[-1])
    names = list(_section_at(loc[:-1]).model_fields)
    near = difflib.get_close_matches(key.lower(), names, n=1)
    if not near:  # it may be a key of another section
        dotted = [".".join(known) for known in known_variables(Settings).values()]
        near = [other for other in dotted if other.rpartition(".")[2] == key][:1]
    where = write_key(loc[:-1]) or "library.yaml"
    hint = f"; did you mean `{near[0]}`?" if near else ";"
    return f"there is no such key{hint} {where} has {', '.join(names)}"


def _show(loc: Location, value: object) -> str:
    """Return a value for a message; hides it where it may be a secret."""
    field = _field_at(loc)
    kind = without_none(field.annotation) if field else SecretStr
    if kind is SecretStr or _SECRET.search(str(loc[-1])):
        return "(hidden)"
    if is_section(kind) or not isinstance(value, str | int | float):
        return kind_of(value)
    if isinstance(value, str) and _CREDENTIALS.search(value):
        return "(hidden)"
    try:
        text = repr(value)
    except ValueError:  # Python does not write out very long numbers
        text = "a very long number"
    return _printable(text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}...")


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)[:200]


def _demand(item: ErrorDetails) -> str:
    """Return the rule that a value breaks: `it must be a whole number from 1 to 1000`."""
    field = _field_at(item["loc"])
    words = allowed_values(field) if field is not None else None
    if item["type"] == "value_error" or not words:
        return _reason(item)
    default = field.get_default(call_default_factory=True) if field else None
    if item["input"] is None and isinstance(default, str | int | float):
        return f"it must be {words}; leave the line out for {default}"
    return f"it must be {words}"


def _reason(item: ErrorDetails) -> str:
    """Return a validator's own words without pydantic's `Value error, `."""
    raised = item.get("ctx", {}).get("error")
    return str(raised) if raised is not None else item["msg"]
