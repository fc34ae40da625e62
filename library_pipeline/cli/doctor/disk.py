"""Room for what will be written."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from library_pipeline.cli.doctor.check import Check, gigabytes
from library_pipeline.settings import Settings

LITTLE, TOO_LITTLE = 2e9, 300e6


def check_disk(settings: Settings) -> Iterator[Check]:
    """Yield the room in the library's home, which may not exist yet."""
    folder = nearest_folder(settings.home)
    if folder != settings.home and not folder.is_dir():
        problem = f"{settings.home} cannot be made: {folder} is not a folder"
        yield Check("disk", "wrong", problem, "set home to a folder that can be written")
        return
    usage = shutil.disk_usage(folder)
    yield judge_room(settings.home, usage.free, usage.total)


def judge_room(home: Path, free: int, total: int) -> Check:
    """Return whether `free` bytes are enough to go on."""
    found = f"{gigabytes(free)} of {gigabytes(total)} free in {home}"
    way_out = "`library-pipeline gc` deletes what nothing needs; or move `home` to a larger disk"
    if free < TOO_LITTLE:
        return Check("disk", "wrong", found, way_out)
    return Check("disk", "warning", found, way_out) if free < LITTLE else Check("disk", "ok", found)


def nearest_folder(path: Path) -> Path:
    """Return `path`, or the nearest thing above it that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
