"""Checks of Python, packages, configuration, disk, bundle store, schedules and webhooks."""

from __future__ import annotations

import os
import platform
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

from library_pipeline import __version__
from library_pipeline.bundles.store import BundleError, BundleStore
from library_pipeline.cli.doctor.examination import Check, gigabytes, one_line
from library_pipeline.settings import (
    DAGSTER_DATABASE_VARIABLE,
    DATABASE_VARIABLE,
    Settings,
    SettingsError,
    config_file,
    read_secret,
)
from library_pipeline.settings.origins import known_variables

PACKAGES = ("torch", "transformers", "dagster", "psycopg", "pgvector")
_MIN_PYTHON, _TOO_NEW_PYTHON = (3, 11), (3, 14)
_TOO_NEW_TORCH = (2, 14)
_LITTLE_ROOM, _TOO_LITTLE_ROOM = 2e9, 300e6
_BUNDLE_STORE = "bundle store"


def check_configuration(settings: Settings | None, error: SettingsError | None) -> Iterator[Check]:
    """Yield one check that says where the settings come from, or one for each problem."""
    if settings is None:
        head, *problems = str(error).splitlines() or ["no settings"]
        *others, last = problems or [head]
        for problem in others:
            yield Check("configuration", "wrong", problem.strip())
        way_out = "correct each one; docs/configuration.md has every key"
        yield Check("configuration", "wrong", last.strip(), way_out)
        return
    path = config_file()
    file = str(path) if path.is_file() else f"no {path.name} in {path.parent}, defaults hold"
    names = sorted(name for name in known_variables(Settings) if os.environ.get(name))
    variables = f"set by variables: {', '.join(names)}" if names else "no LIBRARY_* variable"
    found = f"{file}; {variables}; home {settings.home}"
    yield Check("configuration", "ok", found)
    if settings.database_url is None and settings.dagster_database_url is not None:
        yield Check(
            "configuration",
            "warning",
            f"{DAGSTER_DATABASE_VARIABLE} is set but {DATABASE_VARIABLE} is not, so the embedded "
            "server is used for both",
            f"set {DATABASE_VARIABLE}, too, or neither",
        )


def check_packages() -> Iterator[Check]:
    """Yield the versions of Python and of the packages; imports none of them."""
    yield judge_python(sys.version_info[:2])
    found: dict[str, str] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            yield Check(name, "wrong", "not installed", f"pip install {name}")
    yield judge_packages(found)


def judge_python(running: tuple[int, int]) -> Check:
    """Return whether the program is tested with this Python."""
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if _MIN_PYTHON <= running < _TOO_NEW_PYTHON:
        return Check("python", "ok", found)
    return Check("python", "wrong", found, "use Python 3.11, 3.12 or 3.13")


def judge_packages(found: dict[str, str]) -> Check:
    """Return the versions, with a warning if torch is too new."""
    shown = ", ".join([f"library-pipeline {__version__}", *(f"{n} {v}" for n, v in found.items())])
    numbers = tuple(map(int, re.findall(r"\d+", found.get("torch", ""))[:2]))
    if numbers >= _TOO_NEW_TORCH:
        return Check(
            "packages",
            "warning",
            shown,
            "torch from 2.14 on is untested, and pulls gigabytes of CUDA packages onto machines "
            "without a GPU: pip install 'torch>=2.11,<2.14'",
        )
    return Check("packages", "ok", shown)


def check_disk(settings: Settings) -> Iterator[Check]:
    """Yield the free space at the library's home, which may not exist yet."""
    folder = _nearest_existing(settings.home)
    if folder != settings.home and not folder.is_dir():
        problem = f"{settings.home} cannot be made: {folder} is not a folder"
        yield Check("disk", "wrong", problem, "set home to a folder that can be written")
        return
    usage = shutil.disk_usage(folder)
    yield judge_room(settings.home, usage.free, usage.total)


def judge_room(home: Path, free: int, total: int) -> Check:
    """Return whether `free` bytes are enough for further refreshes."""
    found = f"{gigabytes(free)} of {gigabytes(total)} free in {home}"
    way_out = "`library-pipeline gc` deletes what nothing needs; or move `home` to a larger disk"
    if free < _TOO_LITTLE_ROOM:
        return Check("disk", "wrong", found, way_out)
    if free < _LITTLE_ROOM:
        return Check("disk", "warning", found, way_out)
    return Check("disk", "ok", found)


def _nearest_existing(path: Path) -> Path:
    """Return `path`, or its nearest parent that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def check_bundles(settings: Settings) -> Iterator[Check]:
    """Yield whether a file can be put into the store, read back and deleted."""
    where = _without_credentials(settings.bundle_root)
    try:
        store = BundleStore(settings.bundle_root)
        kept = store.put(secrets.token_bytes(64))  # random, so it is no other file's content
        try:
            store.get(kept.sha256)
        finally:
            store.delete(kept.sha256)
    except BundleError as error:
        way_out = "check who may write there, and the free space"
        yield Check(_BUNDLE_STORE, "wrong", error.message, way_out)
    except (ImportError, ValueError) as error:
        way_out = "install what fsspec needs for this kind of URL (s3fs, gcsfs, adlfs, ...)"
        yield Check(_BUNDLE_STORE, "wrong", f"{where}: {one_line(error)}", way_out)
    except OSError as error:
        way_out = "set bundle_store (or home) to a folder or URL that can be written"
        found = f"{where}: {error.strerror or one_line(error)}"
        yield Check(_BUNDLE_STORE, "wrong", found, way_out)
    else:
        room = ""
        if store.local:
            root = settings.bundle_root
            folder = urlsplit(root).path if root.startswith("file:") else root
            room = f"; {gigabytes(shutil.disk_usage(folder).free)} free"
        yield Check(_BUNDLE_STORE, "ok", f"{where}: a file was written, read and deleted{room}")


def _without_credentials(root: str) -> str:
    """Return the URL of the store without credentials."""
    scheme, mark, rest = root.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}" if mark else root


def check_webhooks(settings: Settings) -> Iterator[Check]:
    """Yield for each webhook whether its secret can be read, and which header proves a call."""
    for name, webhook in settings.webhooks.items():
        try:
            read_secret(webhook)
        except SettingsError as error:
            way_out = "set it where `library-pipeline serve` runs; until then calls get a 503"
            yield Check(f"{name} webhook", "wrong", str(error), way_out)
        else:
            found = f"its secret can be read; calls are proven by {webhook.header_name}"
            yield Check(f"{name} webhook", "ok", found)


def check_schedules(settings: Settings) -> Iterator[Check]:
    """Yield whether Dagster accepts the cron expressions."""
    from dagster import DagsterInvalidDefinitionError  # noqa: PLC0415 - takes seconds

    from library_pipeline.defs.jobs import (  # noqa: PLC0415 - imports Dagster
        full_refresh_schedule,
        garbage_schedule,
    )

    refresh = settings.refresh
    for key, make, cron in (
        ("refresh.full_schedule", full_refresh_schedule, refresh.full_schedule),
        ("refresh.garbage_schedule", garbage_schedule, refresh.garbage_schedule),
    ):
        try:
            make(cron)
        except DagsterInvalidDefinitionError as error:
            found = f"{key} = {cron!r}: {one_line(error)}"
            yield Check("schedules", "wrong", found, "write it like `0 3 * * 0` (Sundays, 3:00)")
            return
    found = f"full refresh {refresh.full_schedule}, garbage {refresh.garbage_schedule} (UTC)"
    yield Check("schedules", "ok", f"{found}, off until switched on in the UI")
