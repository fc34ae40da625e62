"""Tests import helpers from named modules, and the tools stand without the tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]


@cache
def imported(folder: str) -> list[tuple[str, str]]:
    """Return the Python files below `folder`, each with each module that it imports."""
    return list(_imports(ROOT / folder))


def _imports(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [each.name for each in node.names]
            elif isinstance(node, ast.ImportFrom):
                # `from package import module` names a module, too.
                names = [f"{node.module}.{each.name}" for each in node.names]
            else:
                continue
            yield from ((str(path.relative_to(ROOT)), name) for name in names)


def is_test_module(name: str) -> bool:
    """Return whether a dotted name leads through a module of tests or a conftest."""
    parts = name.split(".")
    ours = parts[0] in {"library_pipeline_tests", "None"}
    return ours and any(part == "conftest" or part.startswith("test_") for part in parts[1:])


def test_no_file_imports_a_test_module_or_a_conftest() -> None:
    wrong = [
        (path, name)
        for folder in ("library_pipeline_tests", "tools", "library_pipeline")
        for path, name in imported(folder)
        if is_test_module(name)
    ]
    assert wrong == []


def test_neither_the_tools_nor_the_package_import_the_tests() -> None:
    wrong = [
        (path, name)
        for folder in ("tools", "library_pipeline")
        for path, name in imported(folder)
        if name.split(".")[0] == "library_pipeline_tests"
    ]
    assert wrong == []


def test_the_package_imports_no_tool() -> None:
    wrong = [
        (path, name) for path, name in imported("library_pipeline") if name.split(".")[0] == "tools"
    ]
    assert wrong == []
