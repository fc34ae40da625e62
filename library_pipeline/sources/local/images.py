"""A folder of pictures as components: no CMS, nothing but files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from library_pipeline.catalog.component import Component, FileRef
from library_pipeline.settings.source_keys import SourceSettings
from library_pipeline.sources.entry import Entry, problem_of
from library_pipeline.sources.http.rules import UrlRefused
from library_pipeline.sources.inline import empty_file, inline_file
from library_pipeline.sources.local.files import open_below
from library_pipeline.sources.local.snapshot import (
    FileStamp,
    LocalSnapshot,
    LocalSource,
    Tree,
    as_text,
    as_time,
    walk,
)
from library_pipeline.sources.text import reason

SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".jfif", ".png", ".webp"})
_MAX_THREADS: Final = 8
_AT_ONCE: Final = 256


@dataclass(frozen=True, slots=True)
class _Picture:
    """A picture's path below the folder, and the digest of its bytes or why it has none."""

    path: str
    stamp: FileStamp
    sha256: str = ""
    code: str = ""
    why: str = ""


def open_images(settings: SourceSettings) -> LocalSource:
    """Return the folder at `path` as a source: each picture in it, at any depth, is a component.

    Its id comes from its bytes, so it stays when the picture is renamed or moved; an edited picture
    is another component. Equal pictures are one component, with the name, path and category of the
    first path in alphabetical order. After a change every picture is read again, as no digest is
    remembered.
    """
    return LocalSource(settings, lambda: _look(settings))


def _look(settings: SourceSettings) -> LocalSnapshot:
    folder = os.path.realpath(settings.path or "")
    tree = walk(folder, SUFFIXES, settings)
    return LocalSnapshot(tree.etag, lambda: _entries(settings, folder, tree))


def _entries(settings: SourceSettings, folder: str, tree: Tree) -> Iterator[Entry]:
    position = 0
    for path, why in sorted(tree.unreadable.items()):
        yield problem_of(position, None, "unreadable", why, where=path)
        position += 1
    seen: set[str] = set()
    for picture in _digested(folder, tree, min(settings.concurrency, _MAX_THREADS)):
        if picture.code:
            yield problem_of(position, None, picture.code, picture.why, where=picture.path)
        elif picture.sha256 not in seen:
            seen.add(picture.sha256)
            yield _component(settings, folder, picture)
        else:
            continue
        position += 1


def _digested(folder: str, tree: Tree, threads: int) -> Iterator[_Picture]:
    """Yield the pictures in the order of their paths, read a few at once."""

    def digested(item: tuple[str, FileStamp]) -> _Picture:
        path, stamp = item
        try:
            with open_below(f"{folder}/{path}", folder) as file:
                return _Picture(path, stamp, hashlib.file_digest(file, "sha256").hexdigest())
        except OSError as error:
            return _Picture(path, stamp, code="unreadable", why=reason(error))
        except UrlRefused as refused:
            return _Picture(path, stamp, code=refused.code, why=str(refused))

    items: Iterable[tuple[str, FileStamp]] = iter(sorted(tree.files.items()))
    with ThreadPoolExecutor(threads, "pictures") as pool:
        while some := list(islice(items, _AT_ONCE)):
            yield from pool.map(digested, some)


def _component(settings: SourceSettings, folder: str, picture: _Picture) -> Component:
    path = as_text(picture.path)
    category, _, _ = picture.path.rpartition("/")
    name = as_text(os.path.splitext(picture.path)[0])  # noqa: PTH122
    return Component(
        component_id=settings.id_prefix + picture.sha256[:32],
        revision=hashlib.sha256(f"{picture.sha256} {path}".encode()).hexdigest(),
        name=name,
        files={
            "config": inline_file("config", {"name": name, "path": path}),
            "format": empty_file("format"),
            "records": empty_file("records"),
            "screenshot": FileRef(Path(folder, picture.path).as_uri(), picture.sha256),
        },
        category=as_text(category),
        updated_at=as_time(picture.stamp.modified_ns),
        source=settings.name,
    )
