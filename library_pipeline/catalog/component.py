"""A component as the CMS's manifest describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
FileKind = Literal["config", "format", "records", "screenshot"]
FILE_KINDS: tuple[FileKind, ...] = get_args(FileKind)


@dataclass(frozen=True, slots=True)
class FileRef:
    """Where one file of a component is, and its digest where the source knows it.

    `url` is http(s), or `data:` for what the source lists itself, or `file:` for a local source.
    """

    url: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Component:
    """One manifest entry: everything the CMS says of a component without its files' bytes."""

    component_id: str
    revision: str
    name: str
    files: Mapping[FileKind, FileRef]
    client: str = ""
    category: str = ""
    tags: tuple[str, ...] = field(default=())
    updated_at: datetime | None = None
    attributes: Mapping[str, Json] = field(default_factory=dict[str, Json])
    source: str = "cms"
    """Name of the configured source that lists it."""
