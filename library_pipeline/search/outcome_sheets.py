"""Sheets of what refreshes did, from thumbnails: what came, what changed, what failed."""

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

# Thumbnails: at most 160 x 120, kept in the database. They need no bundle store, which may be far
# away, and two dozen are read and decoded in milliseconds.
Thumbnails = Mapping[str, bytes]

WIDTH, HEIGHT = 160, 120
ONE = TileSize(WIDTH + 16, HEIGHT + 12)
PAIR = TileSize(2 * WIDTH + ARROW_WIDTH + 16, HEIGHT + 12)


def added_sheet(sample: Sample, pictures: Thumbnails) -> Image.Image:
    """Return a sheet of what has come in."""
    tiles = [
        Tile(_picture(one.screenshot_sha256, pictures, "no picture"), one.title, _about(one))
        for one in sample.shown
    ]
    return contact_sheet(_heading("added", sample), tiles, columns=5, size=ONE)


def changed_sheet(sample: Sample, pictures: Thumbnails) -> Image.Image:
    """Return a sheet of what has changed, its former picture beside the one of now."""
    tiles = [Tile(_change(one, pictures), one.title, _about(one)) for one in sample.shown]
    return contact_sheet(_heading("changed", sample), tiles, columns=2, size=PAIR)


def failed_sheet(sample: Sample, pictures: Thumbnails) -> Image.Image:
    """Return a sheet of what has failed and why, as it was when it was last good."""
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


def _change(one: SampleComponent, pictures: Thumbnails) -> Image.Image:
    after = _picture(one.screenshot_sha256, pictures, "no picture")
    if one.former_sha256 == one.screenshot_sha256:
        return side_by_side(after, placeholder("same picture", WIDTH, HEIGHT))
    return side_by_side(_picture(one.former_sha256, pictures, "no longer kept"), after)


def _picture(digest: str | None, pictures: Thumbnails, otherwise: str) -> Image.Image:
    """Return a thumbnail, or what stands for one that is missing or cannot be read."""
    data = pictures.get(digest) if digest else None
    if data is None:
        return placeholder(otherwise, WIDTH, HEIGHT)
    try:
        with Image.open(io.BytesIO(data), formats=("WEBP",)) as image:
            return image.convert("RGB")
    except (OSError, ValueError, SyntaxError):
        return placeholder("cannot be read", WIDTH, HEIGHT)
