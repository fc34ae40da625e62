"""A component as the manifest describes it, its partition key, and the bundle of one revision."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Self, get_args
from urllib.parse import unquote

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


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file in the bundle store; `sha256` (hex) is its name there, `size` is in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """The downloaded files of one revision."""

    component_id: str
    revision: str
    files: Mapping[FileKind, StoredFile]

    @classmethod
    def of_json(
        cls, component_id: str, revision: str, files: Mapping[FileKind, Mapping[str, Any]]
    ) -> Self:
        """Return the bundle whose files are kept as JSON: {kind: {sha256, size}}."""
        stored: dict[FileKind, StoredFile] = {
            kind: StoredFile(file["sha256"], file["size"]) for kind, file in files.items()
        }
        return cls(component_id, revision, stored)

    @property
    def size(self) -> int:
        """Total bytes of the bundle's files."""
        return sum(file.size for file in self.files.values())

    @property
    def screenshot_sha256(self) -> str:
        """Digest of the screenshot, which its embeddings are keyed by."""
        return self.files["screenshot"].sha256


@dataclass(frozen=True, slots=True)
class IndexedComponent:
    """A component as search shows it. A short list leaves out the facts that it does not show."""

    component_id: str
    name: str
    client: str
    category: str
    screenshot_sha256: str
    tags: tuple[str, ...] = ()
    source: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    revision: str = ""
    updated_at: datetime | None = None

    @property
    def title(self) -> str:
        """The name, or the id of a component without one."""
        return self.name or self.component_id


BUNDLE, EMBEDDING, INDEX = "component_bundle", "component_embedding", "component_index"
"""The assets that have these partitions."""

# Dagster's UI, CLI and backfills split or parse keys at commas, quotes, brackets and "...";
# these ASCII characters are the ones that pass through all of them as they are.
_PLAIN_ASCII = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")


def partition_key(component_id: str) -> str:
    """Return the partition key of `component_id`; `component_id` undoes it.

    Letters, digits and visible non-ASCII characters stay readable; everything else becomes
    percent-encoded UTF-8. Raises ValueError for an empty id.
    """
    if not component_id:
        raise ValueError("a component id must not be empty")
    key = "".join(_escape(char) for char in component_id)
    # Dagster reads "..." as a range; one escaped dot is enough to break it up.
    while ".." in key:
        key = key.replace("..", ".%2E")
    return key


def component_id(key: str) -> str:
    """Return the component id that `partition_key` made `key` of."""
    return unquote(key, errors="strict")


def bucket_key(component_id: str, buckets: int) -> str:
    """Return the key of the hash bucket that `component_id` shares with others.

    The number of buckets is in it: keys of another number never mean other components.
    """
    digest = hashlib.md5(component_id.encode(), usedforsecurity=False).hexdigest()
    return f"bucket-{int(digest[:8], 16) % buckets:05d}-of-{buckets}"


def partition_of(component_id: str, buckets: int | None) -> str:
    """Return the partition in which a component is shown; with `buckets` it shares one."""
    return bucket_key(component_id, buckets) if buckets else partition_key(component_id)


def _escape(char: str) -> str:
    if char in _PLAIN_ASCII:
        return char
    if not char.isascii() and unicodedata.category(char)[0] not in "CZ":
        return char
    return "".join(f"%{byte:02X}" for byte in char.encode())
