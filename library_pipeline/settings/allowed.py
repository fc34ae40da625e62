"""What a setting may be, in plain words: from its type, its bounds or its description."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

_KINDS: Final = {bool: "true or false", str: "text", SecretStr: "text", Path: "a folder's path"}
_YAML_KINDS: Final = (
    (NoneType, "nothing"),
    (bool, "true or false"),
    (str, "text"),
    ((int, float), "a number"),
    (date, "a date"),
    (Mapping, "a section"),
    (Sequence, "a list"),
)


def allowed(field: FieldInfo) -> str | None:
    """Return what `field` may be, None where there are no words for its type."""
    kind = without_none(field.annotation)
    words = field.description or _KINDS.get(kind)  # a description says more than any type does
    if words is None and kind in (int, float):
        words = ("a whole number" if kind is int else "a number") + _bounds(field.metadata)
    elif words is None and get_origin(kind) is Literal:
        words = in_words([f"`{choice}`" for choice in get_args(kind)])
    elif words is None and get_origin(kind) is tuple:
        item = get_args(kind)[0]
        words = f"a list, each item {allowed(FieldInfo.from_annotation(item))}"
    elif words is None and is_model(kind):
        words = f"a section with the keys {', '.join(kind.model_fields)}"
    return words


def in_words(choices: Sequence[str]) -> str:
    """Return `a, b or c`."""
    return " or ".join(filter(None, [", ".join(choices[:-1]), choices[-1]]))


def field_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> FieldInfo | None:
    """Return the field that an error's location names, None where there is no such key."""
    parent = model_at(model, loc[:-1])
    last = loc[-1]
    if isinstance(last, str):
        return parent.model_fields.get(last)
    listed = field_at(model, loc[:-1])
    item = get_args(listed.annotation)[:1] if listed else ()
    return FieldInfo.from_annotation(item[0]) if item else None


def model_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> type[BaseModel]:
    """Return the section that an error's location names or lies in."""
    found = model
    for part in loc:
        field = found.model_fields.get(part) if isinstance(part, str) else None
        for kind in (field.annotation, *get_args(field.annotation)) if field else ():
            if is_model(kind):
                found = kind
    return found


def kind_of(value: object) -> str:
    """Return what kind of thing a YAML value is, without showing it."""
    found = (words for kind, words in _YAML_KINDS if isinstance(value, kind))
    return next(found, "something else")


def is_model(kind: Any) -> TypeGuard[type[BaseModel]]:
    """Return whether a field's type is a section."""
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def without_none(annotation: Any) -> Any:
    """Return X for `X | None`, any other type as it is."""
    if get_origin(annotation) not in (Union, UnionType):
        return annotation
    kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
    return kinds[0] if len(kinds) == 1 else annotation


def _bounds(metadata: Sequence[Any]) -> str:
    found = {
        name: getattr(rule, name)
        for rule in metadata
        for name in ("gt", "ge", "lt", "le")
        if getattr(rule, name, None) is not None
    }
    match found:
        case {"ge": least, "le": most}:
            return f" from {least} to {most}"
        case {"ge": least}:
            return f" of at least {least}"
        case {"gt": below}:
            return f" greater than {below}"
        case {"le": most}:
            return f" of at most {most}"
        case _:
            return ""
