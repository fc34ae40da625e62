"""Files of items as a source: one file, or a folder of batches of which later ones win."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path
from typing import Final, Protocol

from library_pipeline.catalog.component import Component
from library_pipeline.settings.sources import SourceSettings
from library_pipeline.sources.entry import ManifestProblem
from library_pipeline.sources.local.files import open_below, path_in
from library_pipeline.sources.local.item_files import (
    MAX_BYTES,
    SUFFIXES,
    Line,
    read_csv,
    read_jsonl,
    read_page,
    too_large,
)
from library_pipeline.sources.local.listing import (
    Entry,
    Listing,
    LocalSource,
    as_text,
    problem,
    reason,
)
from library_pipeline.sources.local.walk import Tree, stamp_of, suffix_of, walk
from library_pipeline.sources.manifest import ManifestError
from library_pipeline.sources.origins import UrlRefused
from library_pipeline.sources.source import OpenSource

_DIGITS: Final = re.compile(r"(\d+)")


class Items(Protocol):
    """What makes entries of items; ItemMapping fulfils it."""

    def items_in(self, page: object) -> list[object]:
        """Return the items of a page; raises ManifestError."""
        ...

    def id_of(self, item: object) -> object:
        """Return what an item says its id is, whatever that may be."""
        ...

    def entry(self, item: object, position: int, base: str) -> Component | ManifestProblem | None:
        """Return what an item says, its files relative to `base`; None: it is left out."""
        ...


@dataclass(frozen=True, slots=True)
class _Batch:
    """A file of items: where it really is, below which folder, and its path for messages."""

    path: str
    below: str
    name: str
    base: str


def open_items(settings: SourceSettings, mapping: Items) -> AbstractContextManager[OpenSource]:
    """Open the file at `path`, or the folder: each JSON, JSONL and CSV file below it is a batch.

    Batches are read from the last to the first, in the order of their paths with numbers as
    numbers; an id that a later one has is passed over in earlier ones, also where `where` leaves
    out its later item. A component is also revised when a local file of it is; a poll notices
    that once a file of items has changed, too.
    """
    return nullcontext(LocalSource(settings, lambda: _look(settings, mapping)))


def folder_of(settings: SourceSettings) -> Path:
    """Return the folder below which the files that items name must lie."""
    path = Path(settings.path or "").absolute()
    return path.parent if _is_one_file(path) else path


def _is_one_file(path: Path) -> bool:
    return path.is_file() or (suffix_of(path.name) in SUFFIXES and not path.is_dir())


def _look(settings: SourceSettings, mapping: Items) -> Listing:
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
    return Listing(tree.etag, lambda: _entries(settings, mapping, batches))


def _look_at_file(settings: SourceSettings, mapping: Items, path: Path) -> Listing:
    # A link like latest.json may lead anywhere: that is the operator's own word, not an item's.
    real = os.path.realpath(path)
    if suffix_of(path.name) not in SUFFIXES:
        known = ", ".join(sorted(SUFFIXES))
        message = f"source {settings.name}: {path} ends in none of {known}"
        raise ManifestError("manifest.unusable", message)
    try:
        tree = Tree({path.name: stamp_of(os.stat(real))})  # noqa: PTH116
    except OSError as error:
        raise _unreadable(settings, str(path), reason(error)) from None
    base = Path(os.path.realpath(path.parent), path.name).as_uri()
    batch = _Batch(real, os.path.dirname(real), path.name, base)  # noqa: PTH120
    return Listing(tree.etag, lambda: _entries(settings, mapping, [batch]))


def _entries(
    settings: SourceSettings, mapping: Items, batches: Iterable[_Batch]
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
    line: Line, position: int, mapping: Items, batch: _Batch, later: set[str], own: set[str]
) -> Entry | None:
    """Return what a line says unless a later batch has its id, which is put into `own`."""
    where = f"{batch.name}, {line.kind} {line.number}"
    if line.wrong:
        return problem(position, where, "bad_line", line.wrong)
    key = mapping.id_of(line.item)
    if isinstance(key, str | int | float):
        if str(key) in later:
            return None
        own.add(str(key))
    entry = mapping.entry(line.item, position, batch.base)
    if isinstance(entry, ManifestProblem):
        return replace(entry, message=f"{entry.message} ({where})")
    return _with_stamps(entry) if entry else None


def _items(settings: SourceSettings, mapping: Items, batch: _Batch) -> Iterator[Line]:
    try:
        with open_below(batch.path, batch.below) as file:
            if os.fstat(file.fileno()).st_size > MAX_BYTES:
                raise too_large(batch.name)
            yield from _lines(file, mapping, batch)
    except (OSError, UrlRefused) as error:
        # An earlier batch must not speak for what this one may say.
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise _unreadable(settings, batch.path, why) from None


def _lines(file: BufferedReader, mapping: Items, batch: _Batch) -> Iterator[Line]:
    match suffix_of(batch.path):
        case ".json":
            items = mapping.items_in(read_page(file, batch.name))
            return (Line(number, item, kind="item") for number, item in enumerate(items, 1))
        case ".csv":
            return read_csv(file, batch.name)
        case _:
            return read_jsonl(file, batch.name)


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
