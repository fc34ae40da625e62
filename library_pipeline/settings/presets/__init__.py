"""Presets: keys of a source for well-known CMSs, and how a source's own keys override them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, cast

_FOLDER: Final = Path(__file__).parent
_WAYS: Final = frozenset({"url", "template", "inline"})


def read_preset(name: str) -> dict[str, Any]:
    """Return the keys of a preset."""
    import yaml  # noqa: PLC0415 - only where there are sources

    return yaml.safe_load((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")) or {}


def merge_preset(preset: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of a preset, overridden by the given ones, section by section.

    If the given keys find a file in one way, the preset's way is dropped.
    """
    other_way = _WAYS if _WAYS & given.keys() else frozenset[str]()
    result = {key: value for key, value in preset.items() if key not in other_way}
    for key, value in given.items():
        before = result.get(key)
        sections = isinstance(before, dict) and isinstance(value, dict)
        result[key] = merge_preset(cast("dict[str, Any]", before), value) if sections else value
    return result
