"""The bundle store: files by the sha256 of their bytes, as `ab/cd/<sha256>`."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from typing import Literal

from upath import UPath

from library_pipeline.bundles.places import DAY_SECONDS, Place, place_at
from library_pipeline.catalog.component import StoredFile
from library_pipeline.catalog.errors import LibraryError
from library_pipeline.sources.text import reason

_SHA256 = re.compile(r"[0-9a-f]{64}")

Code = Literal["bundle.missing", "bundle.corrupt", "bundle.bad_digest", "bundle.inaccessible"]


class BundleError(LibraryError):
    """A file cannot be read from the store or written to it."""

    def __init__(self, code: Code, sha256: str, message: str) -> None:
        super().__init__(code, message)
        self.sha256 = sha256


class BundleStore:
    """Content-addressed files in a local folder or under any fsspec URL. Thread-safe.

    It does not fsync: after a power cut the last files may be empty or torn. `get` notices that by
    the digest, and a missing file is downloaded again, so a flush per file would gain nothing.
    """

    def __init__(self, root: str | os.PathLike[str] | UPath) -> None:
        self._place: Place = place_at(root)

    def __repr__(self) -> str:
        return f"BundleStore({self._place.location('')!r})"

    @property
    def local(self) -> bool:
        """Whether the files lie on a local path, without a network between."""
        return self._place.local

    def put(self, data: bytes, *, sha256: str | None = None, replace: bool = False) -> StoredFile:
        """Keep `data`, unless the store has it already; `replace` writes it in any case.

        Pass `sha256` if it is known. Raises BundleError.
        """
        file = StoredFile(sha256 or hashlib.sha256(data).hexdigest(), len(data))
        name = name_of(file.sha256)
        try:
            # The size tells a torn file from a whole one without reading it.
            if replace or self._place.size(name) != file.size:
                self._place.write(name, data)
        except OSError as error:
            raise self._inaccessible(file.sha256, error) from error
        return file

    def get(self, sha256: str) -> bytes:
        """Return a file's bytes, checked against the digest; raises BundleError."""
        try:
            data = self._place.read(name_of(sha256))
        except FileNotFoundError:
            raise BundleError(
                "bundle.missing",
                sha256,
                f"{self.url(sha256)} is not in the bundle store; refresh its component with force",
            ) from None
        except OSError as error:
            raise self._inaccessible(sha256, error) from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise BundleError(
                "bundle.corrupt",
                sha256,
                f"{self.url(sha256)} ({len(data):,} bytes) does not have the digest in its name; "
                "refresh its component with force, which downloads it again",
            )
        return data

    def find(self, sha256: str) -> StoredFile | None:
        """Return a stored file, None if it is missing or empty, as torn files are."""
        try:
            size = self._place.size(name_of(sha256))
        except OSError as error:
            raise self._inaccessible(sha256, error) from error
        return StoredFile(sha256, size) if size or (size == 0 and sha256 == _EMPTY) else None

    def has(self, sha256: str) -> bool:
        """Return whether the store has a file."""
        return self.find(sha256) is not None

    def delete(self, sha256: str) -> None:
        """Remove a file if the store has it; raises BundleError."""
        try:
            self._place.delete(name_of(sha256))
        except OSError as error:
            raise self._inaccessible(sha256, error) from error

    def digests(self) -> Iterator[StoredFile]:
        """Yield every stored file, folder by folder, in no order; raises BundleError.

        Files that come or go meanwhile may be missing. Foreign files and unfinished ones are left
        out.
        """
        try:
            for name, size in self._place.names():
                sha256 = name.rpartition("/")[2]
                if _SHA256.fullmatch(sha256) and name_of(sha256) == name:
                    yield StoredFile(sha256, size)
        except OSError as error:
            raise self._inaccessible("", error) from error

    def sweep(self, older_than_seconds: float = DAY_SECONDS) -> int:
        """Remove the unfinished files of killed writers, and return their number."""
        return self._place.sweep(older_than_seconds)

    def url(self, sha256: str) -> str:
        """Return the path or URL of a file, whether the store has it or not."""
        return self._place.location(name_of(sha256))

    def _inaccessible(self, sha256: str, error: OSError) -> BundleError:
        where = self.url(sha256) if sha256 else self._place.location("")
        return BundleError(
            "bundle.inaccessible",
            sha256,
            f"{where}: {reason(error)}; "
            "see that the bundle store can be read and written, and has room",
        )


_EMPTY = hashlib.sha256(b"").hexdigest()


def name_of(sha256: str) -> str:
    """Return a file's name in the store; raises BundleError if `sha256` is no digest.

    Only digests become names, so no input can point at another file.
    """
    if not _SHA256.fullmatch(sha256):
        raise BundleError(
            "bundle.bad_digest", sha256, f"{sha256[:80]!r} is not a sha256 in lower-case hex"
        )
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"
