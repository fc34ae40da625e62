"""What a look at one thing found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "wrong", "skipped"]


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor's: what was looked at, how it is, what was found, what to do."""

    name: str
    state: State
    found: str
    way_out: str | None = None


def gigabytes(size: float) -> str:
    """Return a size in bytes as a person reads it."""
    if size < 1e9:
        return f"{size / 1e6:,.0f} MB"
    return f"{size / 1e9:,.1f} GB"


def one_line(error: BaseException) -> str:
    """Return an error's message without line breaks, its type where it has none."""
    return " ".join(str(error).split())[:500] or type(error).__name__
