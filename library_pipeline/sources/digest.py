"""What tells one listing from another where a source has no word for it."""

from __future__ import annotations

import hashlib
from typing import Final

from library_pipeline.catalog.component import Component
from library_pipeline.sources.entry import ManifestProblem

_MARK: Final = "digest:"


def is_digest(etag: str | None) -> bool:
    """Return whether an ETag was made here, so that no server knows it."""
    return etag is not None and etag.startswith(_MARK)


class ListingDigest:
    """A digest over all entries, whatever their order: not every listing has one that stays."""

    def __init__(self) -> None:
        self._sum = 0
        self._count = 0

    def add(self, entry: Component | ManifestProblem) -> None:
        """Take an entry."""
        if isinstance(entry, Component):
            text = f"{entry.component_id}\0{entry.revision}"
        else:
            text = f"{entry.component_id}\0{entry.message}"
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        self._sum = (self._sum + int.from_bytes(digest)) % 2**256
        self._count += 1

    @property
    def value(self) -> str:
        """The digest."""
        return f"{_MARK}{self._count}:{self._sum:064x}"
