"""Python and the packages whose versions matter."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from library_pipeline import __version__
from library_pipeline.cli.doctor.check import Check

PACKAGES = ("torch", "transformers", "dagster", "psycopg", "pgvector")
_OLDEST, _TOO_NEW = (3, 11), (3, 14)
_TOO_NEW_TORCH = (2, 14)


def check_packages() -> Iterator[Check]:
    """Yield the versions of Python and of the packages, which are not imported for it."""
    yield judge_python(sys.version_info[:2])
    found: dict[str, str] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            yield Check(name, "wrong", "not installed", f"pip install {name}")
    yield judge_packages(found)


def judge_python(running: tuple[int, int]) -> Check:
    """Return whether this Python is one that the program is tested with."""
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if _OLDEST <= running < _TOO_NEW:
        return Check("python", "ok", found)
    return Check("python", "wrong", found, "use Python 3.11, 3.12 or 3.13")


def judge_packages(found: dict[str, str]) -> Check:
    """Return the versions, with a word on those that are known to bring trouble."""
    shown = ", ".join([f"library-pipeline {__version__}", *(f"{n} {v}" for n, v in found.items())])
    numbers = tuple(map(int, re.findall(r"\d+", found.get("torch", ""))[:2]))
    if numbers >= _TOO_NEW_TORCH:
        return Check(
            "packages",
            "warning",
            shown,
            "torch from 2.14 on is untested, and pulls gigabytes of CUDA packages onto machines "
            "without a GPU: pip install 'torch>=2.11,<2.14'",
        )
    return Check("packages", "ok", shown)
