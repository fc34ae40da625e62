"""Items out of a JSON, JSONL or CSV file: one by one, bad lines named and passed over."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from typing import Any, Final, NoReturn

from library_pipeline.sources.manifest import ManifestError
from library_pipeline.sources.wording import shorten

SUFFIXES: Final = frozenset({".json", ".jsonl", ".ndjson", ".csv"})
MAX_BYTES: Final = 512 * 1024 * 1024
_MAX_LINE: Final = 16 * 1024 * 1024
_BOM: Final = b"\xef\xbb\xbf"
_DELIMITERS: Final = ",;\t"


@dataclass(frozen=True, slots=True)
class Line:
    """An item and where it is in its file, or why that line holds none."""

    number: int
    item: object = None
    wrong: str = ""
    kind: str = "line"


def parse(text: str | bytes) -> Any:
    """Return what JSON says, NaN and infinities as null; raises ValueError and says why."""
    try:
        # Python's scrapers write NaN for what they did not find; PostgreSQL's JSON has no such.
        return json.loads(text, parse_constant=lambda name: None)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON ({error.msg} at character {error.pos + 1})") from None
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except ValueError:
        raise ValueError("it holds a number of thousands of digits") from None


def read_page(file: BufferedReader, name: str) -> object:
    """Return what a JSON file holds; raises ManifestError."""
    data = file.read(MAX_BYTES + 1).removeprefix(_BOM)
    if len(data) > MAX_BYTES:
        raise too_large(name)
    try:
        return parse(_text(data, name, 1))
    except ValueError as error:
        raise ManifestError("manifest.unusable", f"{name}: {error}") from None


def read_jsonl(file: BufferedReader, name: str) -> Iterator[Line]:
    """Yield the items of a JSONL file, one a line; raises ManifestError where it is no text."""
    for number, line in enumerate(_lines(file, name), 1):
        if not line.strip():
            continue
        try:
            yield Line(number, parse(line))
        except ValueError as error:
            yield Line(number, wrong=str(error))


def read_csv(file: BufferedReader, name: str) -> Iterator[Line]:
    """Yield the rows below a CSV file's header as items; raises ManifestError without header.

    Columns are separated by what the header holds most of: commas, semicolons or tabs.
    """
    # The csv module's limit is the process's; lines are bounded here already.
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_LINE))
    lines = _lines(file, name)
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


def too_large(name: str) -> ManifestError:
    """Return what to say of a file that is larger than a file of items may be."""
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


def _lines(file: BufferedReader, name: str) -> Iterator[str]:
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
        _undecodable(name, number + data.count(b"\n", 0, error.start), data[error.start])


def _undecodable(name: str, number: int, byte: int) -> NoReturn:
    raise ManifestError(
        "manifest.unusable",
        f"{name}, line {number}: the byte 0x{byte:02x} is not UTF-8; save the file as UTF-8",
    )
