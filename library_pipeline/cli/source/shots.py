"""The screenshots of a source's first components, each as a small picture or as a reason."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from library_pipeline.bundles.download import FileError, SourceFiles
from library_pipeline.catalog.component import Component, FileRef
from library_pipeline.encoders import ImageError, read_image, thumbnail
from library_pipeline.sources.entry import ManifestProblem
from library_pipeline.sources.manifest_page import ManifestError
from library_pipeline.sources.source import Source

# Twice what a page shows, for fine displays; far more than a terminal can.
WIDTH: Final = 480
HEIGHT: Final = 360
# A picture of the most pixels takes 150 MB while it is decoded.
_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class Shot:
    """One component's screenshot: WebP bytes of at most WIDTH x HEIGHT, or why there are none."""

    component_id: str
    name: str
    picture: bytes | None
    reason: str = ""


def first_entries(
    source: Source, most: int
) -> tuple[list[Component | ManifestProblem], ManifestError | None]:
    """Return the first entries, with at most `most` components, and what cut them short if so."""
    found: list[Component | ManifestProblem] = []
    components = 0
    try:
        with source.open() as opened:
            for entry in (entry for page in opened.pages() for entry in page.entries):
                found.append(entry)
                components += isinstance(entry, Component)
                # A source of nothing but problems is not read to its end.
                if components == most or len(found) == 10 * most:
                    return found, None
    except ManifestError as error:
        return found, error
    return found, None


def take_shots(source: Source, entries: Sequence[Component | ManifestProblem]) -> list[Shot]:
    """Download and shrink the screenshots; a problem is a shot that says why there is none."""
    return asyncio.run(_take(source, entries))


async def _take(source: Source, entries: Sequence[Component | ManifestProblem]) -> list[Shot]:
    turns = asyncio.Semaphore(_AT_ONCE)
    async with SourceFiles(source) as files:
        return await asyncio.gather(*(_shot(files, entry, turns) for entry in entries))


async def _shot(
    files: SourceFiles, entry: Component | ManifestProblem, turns: asyncio.Semaphore
) -> Shot:
    if isinstance(entry, ManifestProblem):
        return Shot(entry.component_id or "", "", None, f"{entry.code}: {entry.message}")
    component_id, name = entry.component_id, entry.name
    ref = entry.files["screenshot"]
    async with turns:
        try:
            download = await files.get(ref.url, "screenshot")
            picture = await asyncio.to_thread(_shrunk, ref, download.data)
        except (FileError, ImageError) as error:
            return Shot(component_id, name, None, f"{error.code}: {error.message}")
    return Shot(component_id, name, picture)


def _shrunk(ref: FileRef, data: bytes) -> bytes:
    if ref.sha256 and hashlib.sha256(data).hexdigest() != ref.sha256:
        raise FileError("digest_mismatch", f"its sha256 is not {ref.sha256}, which is listed")
    return thumbnail(read_image(data), WIDTH, HEIGHT)
