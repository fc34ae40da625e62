"""The house keeps its plan: rooms, faces without SQL, one name for one thing."""

from __future__ import annotations

import ast
import statistics
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "library_pipeline"
# Dagster's own tables, through its own storage.
NOT_OURS = "defs/storage.py"
FACES = ("cli", "defs", "web", "api.py", "definitions.py")


def modules(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*.py") if "__pycache__" not in path.parts)


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def face_modules() -> list[Path]:
    found = [PACKAGE / name for name in FACES]
    return [path for each in found for path in (modules(each) if each.is_dir() else [each])]


def test_no_face_runs_sql() -> None:
    calls = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in face_modules()
        if not path.match(NOT_OURS)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("execute", "executemany", "copy")
        and not ast.unparse(node.func.value).endswith(("job", "shutil"))
    ]
    assert calls == []


def test_the_embedded_server_needs_nothing_but_the_standard_library() -> None:
    names = {name for path in modules(PACKAGE / "embedded_server") for name in imported(path)}
    foreign = {
        name
        for name in names
        if name.partition(".")[0] not in sys.stdlib_module_names
        and not name.startswith("library_pipeline.embedded_server")
    }
    assert foreign == set()


def test_no_module_name_stands_three_times() -> None:
    names = Counter(path.stem for path in modules(PACKAGE))
    thrice = {name for name, count in names.items() if count > 2 and not name.startswith("__")}
    assert thrice == set()


def test_no_class_name_stands_twice() -> None:
    names = Counter(
        node.name
        for path in modules(PACKAGE)
        for node in tree(path).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert {name for name, count in names.items() if count > 1} == set()


def test_files_hold_one_subject_whole() -> None:
    lengths = [len(path.read_text(encoding="utf-8").splitlines()) for path in modules(PACKAGE)]
    assert len(lengths) <= 190
    assert 130 <= statistics.median(lengths) <= 250
