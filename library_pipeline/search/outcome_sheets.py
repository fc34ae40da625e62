"""Sheets of the thumbnails of components that refreshes added, changed or failed at."""

from __future__ import annotations

import io
from collections.abc import Mapping

from PIL import Image

from library_pipeline.search.sheet import (
    ARROW_WIDTH,
    Tile,
    TileSize,
    contact_sheet,
    placeholder,
    side_by_side,
)
from library_pipeline.store.history import Sample, SampleComponent

# The database keeps thumbnails of at most 160 x 120. They are read and decoded in milliseconds,
# while the bundle store of the full screenshots may be slow.
Thumbnails = Mapping[str, bytes]

WIDTH, HEIGHT = 160, 120
_SINGLE = TileSize(WIDTH + 16, HEIGHT + 12)
_PAIR = TileSize(2 * WIDTH + ARROW_WIDTH + 16, HEIGHT + 12)


def added_sheet(sample: Sample, pictures: Thumbnails) -> Image.Image:
    """Return a sheet of the components that were added."""
    tiles = [
        Tile(_picture(one.screenshot_sha256, pictures, "no picture"), one.title, _about(one))
        for one in sample.shown
    ]
    return contact_sheet(_heading("added", sample), tiles, columns=5, size=_SINGLE)


def changed_sheet(sample: Sample, pictures: Thumbnails) -> Image.Image:
    """Return a sheet of the changed components: the former picture beside the current one."""
    tiles = [Tile(_before_and_after(one, pictures), one.title, _about(one)) for one in sample.shown]
    return contact_sheet(_heading("changed", sample), tiles, columns=2, size=_PAIR)


def failed_sheet(sample: Sample, pictures: Thumbnails) -> Image.Image:
    """Return a sheet of the failed components: the last good picture and the reason."""
    tiles = [
        Tile(
            _picture(one.screenshot_sha256, pictures, "never seen yet"),
            one.title,
            f"{one.failure.phase}: {one.failure.code}" if one.failure else "",
            one.reason,
        )
        for one in sample.shown
    ]
    return contact_sheet(_heading("failed", sample), tiles, columns=3, size=TileSize(300, 132))


def _heading(what: str, sample: Sample) -> str:
    more = sample.total - len(sample.shown)
    return f"{sample.total:,} {what}" + (f", {len(sample.shown)} of them here" if more else "")


def _about(one: SampleComponent) -> str:
    return " · ".join(filter(None, (one.category, one.client)))


def _before_and_after(one: SampleComponent, pictures: Thumbnails) -> Image.Image:
    after = _picture(one.screenshot_sha256, pictures, "no picture")
    if one.former_sha256 == one.screenshot_sha256:
        return side_by_side(after, placeholder("same picture", WIDTH, HEIGHT))
    return side_by_side(_picture(one.former_sha256, pictures, "no longer kept"), after)


def _picture(digest: str | None, pictures: Thumbnails, otherwise: str) -> Image.Image:
    """Return a thumbnail, or a placeholder if it is missing or cannot be read."""
    data = pictures.get(digest) if digest else None
    if data is None:
        return placeholder(otherwise, WIDTH, HEIGHT)
    try:
        with Image.open(io.BytesIO(data), formats=("WEBP",)) as image:
            return image.convert("RGB")
    except (OSError, ValueError, SyntaxError):
        return placeholder("cannot be read", WIDTH, HEIGHT)
