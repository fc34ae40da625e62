"""A bundle: the files of one revision of a component, by digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from library_pipeline.catalog.component import FileKind


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
