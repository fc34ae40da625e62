"""The keys that presets fill in, and how a source's own keys are put over them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, cast

_FOLDER: Final = Path(__file__).parent
_WAYS: Final = frozenset({"url", "template", "inline"})


def read_preset(name: str) -> dict[str, Any]:
    """Return the keys that a preset fills in."""
    import yaml  # noqa: PLC0415 - only where there are sources

    return yaml.safe_load((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")) or {}


def merged(preset: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return a preset's keys with those that were given put over them, section by section.

    A file that is found in one way is not found in the preset's way any more.
    """
    other_way = _WAYS if _WAYS & given.keys() else frozenset[str]()
    result = {key: value for key, value in preset.items() if key not in other_way}
    for key, value in given.items():
        before = result.get(key)
        sections = isinstance(before, dict) and isinstance(value, dict)
        result[key] = merged(cast("dict[str, Any]", before), value) if sections else value
    return result
