"""The paths of the files of the program that are not Python: SQL, the sample library."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def shipped(name: str) -> Path:
    """Return the path of `name`: inside the installed package, or at the top of a checkout."""
    for root in (_PACKAGE, _PACKAGE.parent):
        if (root / name).exists():
            return root / name
    raise FileNotFoundError(f"{name} is not part of this installation; reinstall library-pipeline")
