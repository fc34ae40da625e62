"""Blotting secrets out of what is shown, wherever a library's error or a server has put them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_HIDDEN: Final = "(hidden)"
_LONG: Final = 8


def hidden(text: str, secrets: Iterable[str]) -> str:
    """Return `text` without any of `secrets`."""
    for secret in sorted(secrets, key=len, reverse=True):
        pattern = re.escape(secret)
        if len(secret) < _LONG:
            # As a word: a password `a` must not blot out every a.
            pattern = rf"(?<!\w){pattern}(?!\w)"
        text = re.sub(pattern, _HIDDEN, text)
    return text
