"""Files of items as a source: one file, or a folder of batches of which later ones win.

A bad line of a JSON, JSONL or CSV file is a problem; the lines after it are read all the same.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path
from typing import Final

from library_pipeline.catalog.component import Component
from library_pipeline.catalog.errors import ManifestError
from library_pipeline.settings.source_keys import SourceSettings
from library_pipeline.sources.entry import Entry, ManifestProblem, problem_of
from library_pipeline.sources.http.rules import UrlRefused
from library_pipeline.sources.local.files import open_below, path_in
from library_pipeline.sources.local.snapshot import (
    LocalSnapshot,
    LocalSource,
    Tree,
    as_text,
    file_stamp,
    suffix_of,
    walk,
)
from library_pipeline.sources.manifest_page import parse_json
from library_pipeline.sources.mapping import ItemMapping
from library_pipeline.sources.text import reason, shorten

SUFFIXES: Final = frozenset({".json", ".jsonl", ".ndjson", ".csv"})
MAX_BYTES: Final = 512 * 1024 * 1024
_MAX_LINE: Final = 16 * 1024 * 1024
_BOM: Final = b"\xef\xbb\xbf"
_DELIMITERS: Final = ",;\t"
_DIGITS: Final = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Line:
    """An item and where it is in its file, or why that line holds none."""

    number: int
    item: object = None
    wrong: str = ""
    kind: str = "line"


@dataclass(frozen=True, slots=True)
class _Batch:
    """A file of items: where it really is, below which folder, and its path for messages."""

    path: str
    below: str
    name: str
    base: str


def open_items(settings: SourceSettings, mapping: ItemMapping) -> LocalSource:
    """Return the file or folder at `path` as a source; each JSON, JSONL and CSV file is a batch.

    Batches are read from the last to the first, in the order of their paths with numbers as
    numbers. An id in a later batch hides the same id in earlier ones, even if `where` leaves out
    the later item. An edit of a component's local file revises the component; a poll notices it
    once a file of items changes as well.
    """
    return LocalSource(settings, lambda: _look(settings, mapping))


def folder_of(settings: SourceSettings) -> Path:
    """Return the folder below which the files that items name must lie."""
    path = Path(settings.path or "").absolute()
    return path.parent if _is_one_file(path) else path


def _is_one_file(path: Path) -> bool:
    return path.is_file() or (suffix_of(path.name) in SUFFIXES and not path.is_dir())


def _look(settings: SourceSettings, mapping: ItemMapping) -> LocalSnapshot:
    path = Path(settings.path or "")
    if _is_one_file(path):
        return _look_at_file(settings, mapping, path)
    folder = os.path.realpath(path)
    tree = walk(folder, SUFFIXES, settings)
    for name, why in tree.unreadable.items():
        raise _unreadable(settings, f"{folder}/{name}", why)
    batches = [
        _Batch(f"{folder}/{name}", folder, as_text(name), Path(folder, name).as_uri())
        for name in sorted(tree.files, key=_natural, reverse=True)
    ]
    return LocalSnapshot(tree.etag, lambda: _entries(settings, mapping, batches))


def _look_at_file(settings: SourceSettings, mapping: ItemMapping, path: Path) -> LocalSnapshot:
    # The operator's own link, like latest.json, may lead anywhere; an item's may not.
    real = os.path.realpath(path)
    if suffix_of(path.name) not in SUFFIXES:
        known = ", ".join(sorted(SUFFIXES))
        message = f"source {settings.name}: {path} ends in none of {known}"
        raise ManifestError("manifest.unusable", message)
    try:
        tree = Tree({path.name: file_stamp(os.stat(real))})  # noqa: PTH116
    except OSError as error:
        raise _unreadable(settings, str(path), reason(error)) from None
    base = Path(os.path.realpath(path.parent), path.name).as_uri()
    batch = _Batch(real, os.path.dirname(real), path.name, base)  # noqa: PTH120
    return LocalSnapshot(tree.etag, lambda: _entries(settings, mapping, [batch]))


def _entries(
    settings: SourceSettings, mapping: ItemMapping, batches: Iterable[_Batch]
) -> Iterator[Entry]:
    position = 0
    later: set[str] = set()
    for batch in batches:
        own: set[str] = set()
        for line in _items(settings, mapping, batch):
            found = _entry(line, position, mapping, batch, later, own)
            if found:
                yield found
                position += 1
        later |= own


def _entry(
    line: Line, position: int, mapping: ItemMapping, batch: _Batch, later: set[str], own: set[str]
) -> Entry | None:
    """Return a line's entry unless a later batch has its id; adds the id to `own`."""
    where = f"{batch.name}, {line.kind} {line.number}"
    if line.wrong:
        return problem_of(position, None, "bad_line", line.wrong, where=where)
    key = mapping.id_of(line.item)
    if isinstance(key, str | int | float):
        if str(key) in later:
            return None
        own.add(str(key))
    entry = mapping.entry(line.item, position, batch.base)
    if isinstance(entry, ManifestProblem):
        return replace(entry, message=f"{entry.message} ({where})")
    return _with_stamps(entry) if entry else None


def _items(settings: SourceSettings, mapping: ItemMapping, batch: _Batch) -> Iterator[Line]:
    try:
        with open_below(batch.path, batch.below) as file:
            if os.fstat(file.fileno()).st_size > MAX_BYTES:
                raise _too_large(batch.name)
            yield from _lines(file, mapping, batch)
    except (OSError, UrlRefused) as error:
        # Earlier batches must not show what this one may have replaced.
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise _unreadable(settings, batch.path, why) from None


def _lines(file: BufferedReader, mapping: ItemMapping, batch: _Batch) -> Iterator[Line]:
    match suffix_of(batch.path):
        case ".json":
            items = mapping.items_in(_read_json_file(file, batch.name))
            return (Line(number, item, kind="item") for number, item in enumerate(items, 1))
        case ".csv":
            return _read_csv(file, batch.name)
        case _:
            return _read_jsonl(file, batch.name)


def _with_stamps(component: Component) -> Component:
    """Return a component whose revision also tells the size and time of its local files."""
    stamps = [
        f"{kind} {_stamp(path_in(ref.url))}"
        for kind, ref in component.files.items()
        if ref.url.startswith("file:")
    ]
    if not stamps:
        return component
    text = "\n".join([component.revision, *stamps])
    return replace(component, revision=hashlib.sha256(text.encode()).hexdigest())


def _stamp(path: str) -> str:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return "none"
    return f"{status.st_size} {status.st_mtime_ns}"


def _unreadable(settings: SourceSettings, path: str, why: str) -> ManifestError:
    message = f"source {settings.name}: {path} cannot be read: {why}"
    return ManifestError("manifest.unreadable", message, transient=True)


def _natural(path: str) -> list[tuple[int, str]]:
    """Return what sorts batch-10 behind batch-9."""
    return [
        (int(part), "") if number % 2 else (0, part)
        for number, part in enumerate(_DIGITS.split(path))
    ]


def _read_json_file(file: BufferedReader, name: str) -> object:
    """Return the value in a JSON file; raises ManifestError."""
    data = file.read(MAX_BYTES + 1).removeprefix(_BOM)
    if len(data) > MAX_BYTES:
        raise _too_large(name)
    try:
        return parse_json(_text(data, name, 1))
    except ValueError as error:
        raise ManifestError("manifest.unusable", f"{name}: {error}") from None


def _read_jsonl(file: BufferedReader, name: str) -> Iterator[Line]:
    """Yield the items of a JSONL file, one a line; raises ManifestError where it is no text."""
    for number, line in enumerate(_text_lines(file, name), 1):
        if not line.strip():
            continue
        try:
            yield Line(number, parse_json(line))
        except ValueError as error:
            yield Line(number, wrong=str(error))


def _read_csv(file: BufferedReader, name: str) -> Iterator[Line]:
    """Yield the rows below a CSV file's header as items; raises ManifestError without header.

    Commas, semicolons or tabs separate the columns, whichever the header holds most of.
    """
    # The csv module's limit is the process's; lines are bounded here already.
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_LINE))
    lines = _text_lines(file, name)
    header = next(lines, "")
    delimiter = max(_DELIMITERS, key=header.count)
    columns = _columns(next(csv.reader([header], delimiter=delimiter), list[str]()), name)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        number = reader.line_num + 2
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Line(number, wrong=f"it is not CSV ({error})")
            continue
        if len(row) == len(columns):
            yield Line(number, dict(zip(columns, row, strict=True)))
        elif row:
            yield Line(number, wrong=f"it has {len(row)} fields, the header {len(columns)}")


def _too_large(name: str) -> ManifestError:
    """Return the error of a file of items that is too large."""
    message = f"{name} is larger than {MAX_BYTES:,} bytes; split it into several files"
    return ManifestError("manifest.too_large", message)


def _columns(header: list[str], name: str) -> list[str]:
    columns = [column.strip() for column in header]
    twice = [column for column, times in Counter(columns).items() if times > 1 or not column]
    if not columns or twice:
        what = f"the column {shorten(twice[0])} twice" if twice and twice[0] else "one without name"
        what = f"its first line has {what}" if columns else "it is empty"
        raise ManifestError(
            "manifest.unusable", f"{name}: {what}; a CSV file begins with its columns' names"
        )
    return columns


def _text_lines(file: BufferedReader, name: str) -> Iterator[str]:
    """Yield a file's lines as text, each read when it is asked for; raises ManifestError."""
    number = 0
    while line := file.readline(_MAX_LINE + 1):
        number += 1
        if len(line) > _MAX_LINE:
            message = f"{name}, line {number}: it is longer than {_MAX_LINE:,} bytes"
            raise ManifestError("manifest.too_large", message)
        yield _text(line.removeprefix(_BOM) if number == 1 else line, name, number)


def _text(data: bytes, name: str, number: int) -> str:
    """Return UTF-8 as text; `number` is that of its first line."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = number + data.count(b"\n", 0, error.start)
        what = f"the byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise ManifestError("manifest.unusable", f"{name}, line {line}: {what}") from None
