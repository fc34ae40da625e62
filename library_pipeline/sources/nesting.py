"""How deeply JSON may be nested: Python parses more than what comes after can take."""

from __future__ import annotations

from typing import Any

MAX_DEPTH = 64


def too_deep(value: Any, limit: int = MAX_DEPTH) -> bool:
    """Return whether lists and objects lie in each other more than `limit` deep.

    Level by level, not by recursion, in a few microseconds for an entry of a manifest.
    """
    level = [value] if type(value) is dict or type(value) is list else []
    for _ in range(limit):
        if not level:
            return False
        level = [
            child
            for each in level
            for child in (each.values() if type(each) is dict else each)
            if type(child) is dict or type(child) is list
        ]
    return bool(level)
