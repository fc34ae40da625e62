"""From the keys of library.yaml to a source on this machine."""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from library_pipeline.settings.sources import MappingSettings, SourceSettings
from library_pipeline.sources.connection import CmsConnection
from library_pipeline.sources.entry import FileRule
from library_pipeline.sources.local.bundles import open_bundles
from library_pipeline.sources.local.files import LocalFiles
from library_pipeline.sources.local.images import open_images
from library_pipeline.sources.local.items import Items, folder_of, open_items
from library_pipeline.sources.origins import UrlRefused
from library_pipeline.sources.source import OpenSource, Source


class NoFiles:
    """The rule of a source for which neither a folder nor a host is listed."""

    def check(self, url: str) -> None:
        """Raise UrlRefused."""
        raise UrlRefused("foreign_origin", "this source has no files; list a host in allowed_hosts")


class MakeItems(Protocol):
    """What makes a mapping of its settings; ItemMapping is one."""

    def __call__(
        self, mapping: MappingSettings, *, source: str, prefix: str, files: FileRule
    ) -> Items:
        """Return the mapping, compiled."""
        ...


def local_source(
    settings: SourceSettings, *, mapping: MakeItems, connection: CmsConnection | None = None
) -> Source:
    """Return the source of kind `images`, `bundles` or `items`; `mapping` is ItemMapping.

    Items' files are below the folder of the items or at what `connection` may ask. Raises
    ValueError for another kind; what is wrong with the folder shows when it is read.
    """
    path = Path(settings.path or "").absolute()
    identity = f"{settings.kind}:{path} {shaped_by(settings)}"
    match settings.kind:
        case "images":
            return Source(settings.name, identity, lambda: open_images(settings), folder=path)
        case "bundles":
            return Source(settings.name, identity, lambda: open_bundles(settings), folder=path)
        case "items":
            folder = folder_of(settings)
        case _:
            raise ValueError(f"source {settings.name}: kind: {settings.kind} is not local")

    def opened() -> AbstractContextManager[OpenSource]:
        rule = LocalFiles(folder, connection.origins if connection else None)
        return open_items(settings, items_of(settings, mapping, rule))

    return Source(settings.name, identity, opened, connection, folder)


def items_of(settings: SourceSettings, mapping: MakeItems, files: FileRule) -> Items:
    """Return the mapping of a source, whose files must pass `files`."""
    return mapping(settings.mapping, source=settings.name, prefix=settings.id_prefix, files=files)


def shaped_by(settings: SourceSettings) -> str:
    """Return a hash of what entries depend on besides what is listed.

    An ETag knows nothing of that: under another mapping all has to be read anew.
    """
    text = f"{settings.id_prefix}\n{settings.mapping.model_dump_json()}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
